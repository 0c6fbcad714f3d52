// One model that runs on its plans alone: on the wasm binary, without tfjs, until inputs come for which there is no plan.
import { InsituError } from "../../../shared/errors.js";
import type { PlanInfo } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Plans, RunResult, Session, Target } from "../session/engine.js";
import { isTrap, toInsituError } from "../session/run-errors.js";
import type { StepKernels } from "./own-kernels.js";
import { OutOfTableError, Plan } from "./plan.js";
import type { Binary } from "./start-binary.js";
import type { Part } from "./steps.js";
import { fromStored, keyOfFeeds, keyOfStored, type StoredPlan, type StoredTensor, type Weight } from "./stored-plan.js";
import { FIRST_ID } from "./wasm-module.js";

type Feeds = Record<string, TensorData>;

export interface PlanSessionDeps {
  target: Target;
  binary: Binary;
  stored: StoredPlan[];
  weight: (name: string, tensor: StoredTensor) => Weight;
  /** The model's outputs and its embedding, by the names that results have. */
  names: Record<Part, string[]>;
  /** Loads what computes steps by own kernels; absent where it cannot run. */
  kernels?: () => Promise<StepKernels>;
  /** What was loaded before, since an earlier visit chose some. */
  knownKernels?: StepKernels;
  /** Opens the model on tfjs, which runs whatever has no plan, and makes plans of it. */
  openTfjs: () => Promise<Session>;
  /** Called with the reason when a plan has failed: it must not be used again. */
  onFailure: (reason: string) => void;
  /** Called when the memory of the plans is given up: the session was disposed, or has moved to tfjs. */
  onEnd: () => void;
}

/** As own kernels cost a file, a model must be used a few times first. */
const USES = 3;

export class PlanSession implements Session {
  readonly target: Target;
  readonly #stored: Map<string, StoredPlan>;
  readonly #ready = new Map<string, Plan>();
  /** Undefined once the model has moved to tfjs, and after `dispose`. */
  #deps: PlanSessionDeps | undefined;
  /** Set once inputs came for which there is no plan. */
  #tfjs: Session | undefined;
  #lost: InsituError | undefined;
  #kernels: StepKernels | undefined;
  #uses = 0;
  // Above those of the weights.
  #nextId = FIRST_ID + 2 ** 20;

  constructor(deps: PlanSessionDeps) {
    this.#deps = deps;
    this.target = deps.target;
    this.#kernels = deps.knownKernels;
    this.#stored = new Map(deps.stored.map((plan) => [keyOfStored(plan), plan]));
  }

  get plans(): Plans {
    const tfjs = this.#tfjs?.plans;
    if (tfjs) return tfjs;
    const kernels = this.#kernels;
    const info: PlanInfo = { state: "used", shapes: this.#stored.size, ...kernels?.info };
    const advance: Plans["advance"] = async (tests) => {
      try {
        await kernels?.advance(tests);
      } catch (error) {
        this.#fail(error);
      }
    };
    return { info, isWanted: kernels?.isWanted === true, isForItems: true, advance };
  }

  run(feeds: Feeds): Promise<RunResult> {
    return this.#compute("run", feeds);
  }

  embed(feeds: Feeds): Promise<RunResult> {
    return this.#compute("embed", feeds);
  }

  dispose(): void {
    this.#tfjs?.dispose();
    this.#end();
  }

  async #compute(part: Part, feeds: Feeds): Promise<RunResult> {
    if (this.#lost) throw this.#lost;
    const replayed = this.#deps && this.#replay(this.#deps, part, feeds);
    if (replayed) return replayed;
    const session = await this.#moved();
    return part === "run" ? session.run(feeds) : session.embed(feeds);
  }

  /** Undefined where the inputs have no plan, or theirs has failed. Throws `device_lost` where it has trapped. */
  #replay({ binary, names }: PlanSessionDeps, part: Part, feeds: Feeds): RunResult | undefined {
    const started = performance.now();
    try {
      const key = keyOfFeeds(part, feeds);
      const plan = this.#planOf(key);
      if (!plan) return undefined;
      binary.takeFailure();
      plan.execute(feeds);
      const executed = performance.now();
      const outputs = plan.read();
      const failure = binary.takeFailure();
      if (failure) throw new Error(failure);
      const readAt = performance.now();
      this.#kernels?.used(key, plan, part, feeds);
      this.#uses += 1;
      if (this.#uses === USES && !this.#kernels) void this.#loadKernels();
      return {
        outputs: Object.fromEntries(outputs.map((output, index) => [names[part][index] as string, output])),
        executeMs: executed - started,
        readbackMs: readAt - executed,
      };
    } catch (error) {
      if (error instanceof OutOfTableError) return undefined;
      this.#fail(error);
      return undefined;
    }
  }

  /** Throws `device_lost` where it has trapped. */
  #fail(error: unknown): void {
    this.#deps?.onFailure((error as Error).message);
    if (!isTrap(error)) return;
    this.#lost = toInsituError(error, this.target);
    this.#end();
    throw this.#lost;
  }

  async #loadKernels(): Promise<void> {
    try {
      this.#kernels = await this.#deps?.kernels?.();
    } catch {
      // tfjs's compute then.
    }
  }

  #planOf(key: string): Plan | undefined {
    const ready = this.#ready.get(key);
    if (ready) return ready;
    const stored = this.#stored.get(key);
    if (!stored || !this.#deps) return undefined;
    const { binary, weight } = this.#deps;
    const plan = new Plan(
      binary,
      fromStored(stored, () => this.#nextId++, weight),
    );
    this.#kernels?.adopt(key, plan);
    this.#ready.set(key, plan);
    return plan;
  }

  async #moved(): Promise<Session> {
    if (this.#tfjs) return this.#tfjs;
    if (!this.#deps) throw new InsituError("disposed", "The model was disposed.");
    const session = await this.#deps.openTfjs();
    // It was disposed meanwhile.
    if (!this.#deps) session.dispose();
    this.#tfjs = session;
    this.#end();
    return session;
  }

  #end(): void {
    const deps = this.#deps;
    this.#deps = undefined;
    this.#kernels = undefined;
    for (const plan of this.#ready.values()) plan.abandon();
    this.#ready.clear();
    deps?.onEnd();
  }
}
