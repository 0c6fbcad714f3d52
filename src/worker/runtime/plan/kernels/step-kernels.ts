// Chooses for each step of a model's plans between tfjs's kernel and the library's own, by measuring, and keeps what was chosen.
import type { PlanInfo } from "../../../../shared/types/model.js";
import type { TensorData } from "../../../../shared/types/tensor.js";
import type { SelfTest } from "../../../package/self-test-files.js";
import { isTrap } from "../../session/run-errors.js";
import type { StepKernels, StepKernelsDeps } from "../own-kernels.js";
import type { Plan } from "../plan.js";
import type { Part } from "../steps.js";
import { choose } from "./choose.js";
import { type KernelExports, startKernels } from "./kernel-module.js";
import { KERNELS_SHA256 } from "./kernels-binary.js";
import { makeOwnStep, type OwnStep, ownCalls, Scratch } from "./own-step.js";

type Feeds = Record<string, TensorData>;

/** Stored with the plans. A choice holds for the kernels that were measured. */
interface Choices {
  kernels: string;
  /** By the plan's key, the steps that own kernels compute. */
  steps: Record<string, number[]>;
}

/** The first uses of a plan compile kernels; a plan that is used less is not worth a measurement. */
const USES = 3;

interface Wanted {
  key: string;
  plan: Plan;
  part: Part;
  feeds: Feeds;
}

export async function createStepKernels(deps: StepKernelsDeps): Promise<StepKernels> {
  const [kernels, stored] = await Promise.all([startKernels(deps.binary.memory), deps.store.kernels()]);
  return new ChosenKernels(deps, kernels, known(stored));
}

function known(stored: unknown): Choices["steps"] {
  const { kernels, steps } = (stored ?? {}) as Partial<Choices>;
  return kernels === KERNELS_SHA256 && steps ? steps : {};
}

class ChosenKernels implements StepKernels {
  readonly #deps: StepKernelsDeps;
  readonly #kernels: KernelExports;
  readonly #scratch: Scratch;
  readonly #steps: Choices["steps"];
  readonly #uses = new Map<string, number>();
  #wanted: Wanted[] = [];
  /** Steps that own kernels compute. */
  #count = 0;
  #choosing: AsyncGenerator<void, OwnStep[]> | undefined;

  constructor(deps: StepKernelsDeps, kernels: KernelExports, steps: Choices["steps"]) {
    this.#deps = deps;
    this.#kernels = kernels;
    this.#steps = steps;
    this.#scratch = new Scratch(deps.binary);
  }

  get info(): Pick<PlanInfo, "kernels"> {
    return this.#count > 0 ? { kernels: this.#count } : {};
  }

  get isWanted(): boolean {
    return this.#wanted.length > 0;
  }

  adopt(key: string, plan: Plan): void {
    const chosen = this.#steps[key];
    if (!Array.isArray(chosen)) return;
    const calls = ownCalls(plan);
    for (const index of chosen) {
      const call = calls.get(index);
      if (!call) continue;
      plan.steps[index] = this.#make(plan)(index, call).run;
      this.#count += 1;
    }
  }

  used(key: string, plan: Plan, part: Part, feeds: Feeds): void {
    if (this.#steps[key] || this.#wanted.some((wanted) => wanted.key === key)) return;
    const uses = (this.#uses.get(key) ?? 0) + 1;
    this.#uses.set(key, uses);
    if (uses < USES) return;
    const copies = Object.entries(feeds).map(([name, { data, shape, dtype }]) => [name, { data: data.slice(), shape, dtype }]); // biome-ignore format: one line
    this.#wanted.push({ key, plan, part, feeds: Object.fromEntries(copies) });
  }

  async advance(selfTests: () => Promise<SelfTest[]>): Promise<void> {
    const [next] = this.#wanted;
    if (!next) return;
    const { key, plan, part, feeds } = next;
    const { binary, outputs } = this.#deps;
    this.#choosing ??= choose({
      binary,
      plan,
      feeds,
      key,
      outputs,
      make: this.#make(plan),
      selfTests: part === "run" ? selfTests : async () => [],
    });
    try {
      const { done, value } = await this.#choosing.next();
      if (!done) return;
      this.#end(
        key,
        value.map(({ index }) => index),
      );
      for (const { index, run } of value) plan.steps[index] = run;
    } catch (error) {
      // It is tried once.
      this.#end(key, []);
      if (isTrap(error)) throw error;
    }
  }

  #end(key: string, chosen: number[]): void {
    this.#choosing = undefined;
    this.#wanted = this.#wanted.filter((wanted) => wanted.key !== key);
    this.#steps[key] = chosen;
    this.#count += chosen.length;
    void this.#deps.store.keepKernels({ kernels: KERNELS_SHA256, steps: this.#steps } satisfies Choices);
  }

  #make(plan: Plan): (index: number, call: OwnStep["call"]) => OwnStep {
    return (index, call) => makeOwnStep(this.#deps.binary, this.#kernels, this.#scratch, plan, index, call);
  }
}
