// Runs one kernel of tfjs on random inputs, of which some are the model's and the others its weights.
import { engine, type NamedTensorMap, type Tensor } from "@tensorflow/tfjs-core";
import { KERNEL_CASES } from "./kernel-cases.js";
import { Dice, type KernelCase } from "./kernel-dice.js";
import { PICTURE_KERNEL_CASES } from "./picture-kernel-cases.js";
import { type Execute, type Feeds, tensorsOf } from "./plans.js";

export const KERNELS = { ...KERNEL_CASES, ...PICTURE_KERNEL_CASES };

export function executeKernel(name: string, { inputs, attrs, isList }: KernelCase, constants: NamedTensorMap): Execute {
  return (feeds) => {
    const all = { ...feeds, ...constants };
    const given = Object.keys(inputs).map((key) => [key, all[key] as Tensor] as const);
    const named = isList ? given.map(([, value]) => value) : Object.fromEntries(given);
    return [engine().runKernel(name, named as NamedTensorMap, attrs as never)].flat() as Tensor[];
  };
}

export function drawFeeds(dice: Dice, { inputs }: KernelCase, keys: string[]): Feeds {
  const chosen = Object.entries(inputs).filter(([key]) => keys.includes(key));
  return Object.fromEntries(chosen.map(([key, drawn]) => [key, dice.values(drawn)]));
}

export interface DrawnKernel {
  given: KernelCase;
  run: Execute;
  /** Others at each call. */
  feeds: () => Feeds;
  free: () => void;
}

/** Some inputs are the model's, at least one, the others its weights. */
export function drawCase(name: string, seed: number): DrawnKernel {
  const dice = new Dice(seed);
  const given = (KERNELS[name] as (dice: Dice) => KernelCase)(dice);
  const keys = Object.keys(given.inputs);
  const fed = keys.filter(() => dice.next() < 0.7);
  if (fed.length === 0) fed.push(dice.pick(keys));
  const weights = keys.filter((key) => !fed.includes(key));
  const constants = tensorsOf(drawFeeds(dice, given, weights));
  return {
    given,
    run: executeKernel(name, given, constants),
    feeds: () => drawFeeds(dice, given, fed),
    free: () => {
      for (const constant of Object.values(constants)) constant.dispose();
    },
  };
}
