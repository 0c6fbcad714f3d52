// Changes the text of a plan as a stranger could: numbers, tables, tensors, steps, kernels, lifetimes, sizes, and single bytes.

import { SIGNATURES } from "../../src/worker/runtime/plan/kernel-signatures.js";
import { writePlan } from "../../src/worker/runtime/plan/plan-text.js";
import type { StoredPlan } from "../../src/worker/runtime/plan/stored-plan.js";
import type { Dice } from "./kernel-dice.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Item = Record<string, Json>;
interface PlanJson {
  inputs: Item[];
  outputs: Item[];
  tensors: Item[];
  steps: Json[][];
}

const NAMES = [...SIGNATURES.keys(), "malloc", "free", "init", "register_tensor", "dispose_data", "memory", "toString", "Transform", "CropAndResize"]; // biome-ignore format: one line
const ODD: Json[] = [0, 1, 2, 3, 4, 5, 7, 8, 16, 63, 255, 4096, 32_768, 65_536, 2 ** 20, 2 ** 28, 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 53, -1, -2, -4096, -(2 ** 31), 0.5, 1e300, { number: "NaN" }, { number: "Infinity" }, { number: "-0" }]; // biome-ignore format: one line
const KINDS = ["call", "copy", "cast", "fill", "bounds", "numbers", "renew"];

/** A place in the plan that holds a number. */
interface Place {
  get(): number;
  set(value: Json): void;
}

function numbersIn(value: Json, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  const holder = value as Record<string, Json>;
  for (const key of Object.keys(holder)) {
    const held = holder[key] as Json;
    if (typeof held === "number")
      found.push({ get: () => holder[key] as number, set: (next) => { holder[key] = next; } }); // biome-ignore format: one line
    else if (key === "table" && typeof held === "string") found.push(...numbersOf(holder, held));
    else numbersIn(held, found);
  }
  return found;
}

/** Those of a table, which is the base64 of 32-bit integers. */
function numbersOf(holder: Record<string, Json>, text: string): Place[] {
  const bytes = Buffer.from(text, "base64");
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => ({
    get: () => Buffer.from(holder.table as string, "base64").readInt32LE(index * 4),
    set(value) {
      const now = Buffer.from(holder.table as string, "base64");
      if (now.length < index * 4 + 4) return;
      now.writeInt32LE(Number(typeof value === "number" ? value : 0) | 0, index * 4);
      holder.table = now.toString("base64");
    },
  }));
}

type Mutation = (plan: PlanJson, dice: Dice) => void;
const stepOf = ({ steps }: PlanJson, dice: Dice): Json[] => (steps.length > 0 ? dice.pick(steps) : []);
const tensorOf = ({ tensors }: PlanJson, dice: Dice): Item => (tensors.length > 0 ? dice.pick(tensors) : {});

/** Changes that keep a product or a sum come through checks that single changes do not. */
const COHERENT: Mutation[] = [
  function swapNumbers(plan, dice) {
    const places = numbersIn(stepOf(plan, dice));
    if (places.length < 2) return;
    const [one, other] = [dice.pick(places), dice.pick(places)];
    const [left, right] = [one.get(), other.get()];
    one.set(right);
    other.set(left);
  },
  function scaleNumbers(plan, dice) {
    const places = numbersIn(stepOf(plan, dice));
    if (places.length < 2) return;
    const [one, other, by] = [dice.pick(places), dice.pick(places), dice.pick([2, 3, 4])];
    one.set(one.get() * by);
    other.set(Number.isInteger(other.get() / by) ? other.get() / by : other.get());
  },
  function shiftNumbers(plan, dice) {
    const places = numbersIn(stepOf(plan, dice));
    if (places.length < 2) return;
    const [one, other] = [dice.pick(places), dice.pick(places)];
    one.set(one.get() + 1);
    other.set(other.get() - 1);
  },
  function swapTensors(plan, dice) {
    const [step, places] = [stepOf(plan, dice), [] as Json[][]];
    for (const arg of step) if (Array.isArray(arg) && arg.length === 1) places.push(arg);
    if (places.length > 0) dice.pick(places)[0] = dice.int(0, plan.tensors.length);
  },
  function renameKernel(plan, dice) {
    const step = stepOf(plan, dice);
    if (step[0] === "call") step[1] = dice.pick(NAMES);
  },
  function repeatStep(plan, dice) {
    const at = dice.int(0, plan.steps.length);
    plan.steps.splice(at, 0, structuredClone(stepOf(plan, dice)));
  },
  function swapSteps({ steps }, dice) {
    if (steps.length < 2) return;
    const [one, other] = [dice.int(0, steps.length - 1), dice.int(0, steps.length - 1)];
    [steps[one], steps[other]] = [steps[other] as Json[], steps[one] as Json[]];
  },
  function dropStep({ steps }, dice) {
    if (steps.length > 1) steps.splice(dice.int(0, steps.length - 1), 1);
  },
  function changeLifetime(plan, dice) {
    const tensor = tensorOf(plan, dice);
    tensor[dice.pick(["born", "dies"])] = dice.pick<Json>([0, 1, 2, plan.steps.length, "end"]);
  },
  function loosenLifetimes(plan) {
    for (const tensor of plan.tensors) Object.assign(tensor, { born: 0, dies: "end" });
  },
  function changeSize(plan, dice) {
    const tensor = tensorOf(plan, dice);
    tensor.size = Math.max(0, Number(tensor.size) + dice.pick([-8, -4, -1, 1, 4, 8, Number(tensor.size)]));
  },
  function changeDtype(plan, dice) {
    tensorOf(plan, dice).dtype = dice.pick(["float32", "int32", "bool"]);
  },
  function moveToConstant(plan, dice) {
    const tensor = tensorOf(plan, dice);
    tensor.data = Buffer.alloc(Math.min(4096, Number(tensor.size) * 4), dice.int(0, 255)).toString("base64");
    tensor.weight = undefined as unknown as Json;
  },
];

const WILD: Mutation[] = [
  function oddNumber(plan, dice) {
    const places = numbersIn(dice.next() < 0.8 ? stepOf(plan, dice) : (plan as unknown as Json));
    if (places.length > 0) dice.pick(places).set(dice.pick(ODD));
  },
  function nearNumber(plan, dice) {
    const places = numbersIn(dice.next() < 0.8 ? stepOf(plan, dice) : (plan as unknown as Json));
    if (places.length === 0) return;
    const place = dice.pick(places);
    place.set(place.get() + dice.pick([-1, 1]));
  },
  function otherKind(plan, dice) {
    stepOf(plan, dice)[0] = dice.pick(KINDS);
  },
  function dropArgument(plan, dice) {
    const step = stepOf(plan, dice);
    step.splice(dice.int(0, step.length), 1);
  },
  function dropField(plan, dice) {
    const holder = dice.pick([plan as unknown as Item, tensorOf(plan, dice), ...plan.inputs, ...plan.outputs]);
    const key = dice.pick(Object.keys(holder));
    holder[key] = dice.pick<Json>([undefined as unknown as Json, null, "", [], {}, true, "__proto__", -1]);
  },
];

/** The text of the plan with one to three changes; `isCoherent` says that they may come through the check. */
export function mutate(plan: StoredPlan, dice: Dice): string {
  const json = JSON.parse(writePlan(plan)) as PlanJson;
  const changes = dice.pick([1, 1, 1, 2, 2, 3]);
  for (let change = 0; change < changes; change += 1) {
    const mutation = dice.pick(dice.next() < 0.75 ? COHERENT : WILD);
    // An earlier change may have taken away what this one needs.
    try {
      mutation(json, dice);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    }
  }
  const text = JSON.stringify(json);
  if (dice.next() > 0.05) return text;
  const at = dice.int(0, text.length - 1);
  return dice.flip()
    ? text.slice(0, at)
    : text.slice(0, at) + String.fromCharCode(dice.int(32, 126)) + text.slice(at + 1);
}
