// One model that runs on its plans alone, without tfjs, until inputs come for which there is no plan.
import { InsituError, isInsituError } from "../../../shared/errors.js";
import type { PlanInfo } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Plans, RunResult, Session, Target } from "../session/engine.js";
import { isTrap, toInsituError } from "../session/run-errors.js";
import type { ReplayPlan } from "./plan-maker.js";
import { OutOfTableError, type Part } from "./steps.js";
import { keyOfFeeds } from "./stored-plan.js";

type Feeds = Record<string, TensorData>;

export interface PlanSessionDeps {
  target: Target;
  /** Makes each plan, by the key of its inputs: before its first use. */
  make: ReadonlyMap<string, () => ReplayPlan | Promise<ReplayPlan>>;
  /** What failed without an error since the last call. */
  takeFailure: () => string | undefined;
  /** Runs a replay; rejects with `device_lost` where the device is lost meanwhile. Absent where there is no device. */
  watch?: <T>(replay: () => Promise<T>) => Promise<T>;
  /** The model's outputs and its embedding, by the names that results have. */
  names: Record<Part, string[]>;
  /** Opens the model on tfjs, which runs whatever has no plan, and makes plans of it. */
  openTfjs: () => Promise<Session>;
  /** Called with the reason when a plan has failed: it must not be used again. */
  onFailure: (reason: string) => void;
  /** Called when the plans and their memory are given up: the session was disposed, was lost, or has moved to tfjs. */
  onEnd: () => void;
}

export class PlanSession implements Session {
  readonly target: Target;
  readonly #ready = new Map<string, ReplayPlan>();
  readonly #shapes: number;
  /** Undefined once the model has moved to tfjs, and after `dispose`. */
  #deps: PlanSessionDeps | undefined;
  /** Set once inputs came for which there is no plan. */
  #tfjs: Session | undefined;
  #lost: InsituError | undefined;

  constructor(deps: PlanSessionDeps) {
    this.#deps = deps;
    this.target = deps.target;
    this.#shapes = deps.make.size;
  }

  get plans(): Plans {
    const tfjs = this.#tfjs?.plans;
    if (tfjs) return tfjs;
    const info: PlanInfo = { state: "used", shapes: this.#shapes };
    return { info, isWanted: false, advance: async () => undefined };
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
    const replayed = this.#deps && (await this.#tryReplay(this.#deps, part, feeds));
    if (replayed) return replayed;
    const session = await this.#moved();
    return part === "run" ? session.run(feeds) : session.embed(feeds);
  }

  /** Undefined where the inputs have no plan, or theirs has failed. Throws `device_lost` where it has trapped, or the device is lost. */
  async #tryReplay(deps: PlanSessionDeps, part: Part, feeds: Feeds): Promise<RunResult | undefined> {
    const replay = () => this.#replay(deps, part, feeds);
    try {
      return await (deps.watch ? deps.watch(replay) : replay());
    } catch (error) {
      if (error instanceof OutOfTableError) return undefined;
      const isLost = isInsituError(error) && error.code === "device_lost";
      if (!isLost) this.#deps?.onFailure((error as Error).message);
      if (!isLost && !isTrap(error)) return undefined;
      this.#lost = isLost ? error : toInsituError(error, this.target);
      this.#end();
      throw this.#lost;
    }
  }

  async #replay(
    { make, takeFailure, names }: PlanSessionDeps,
    part: Part,
    feeds: Feeds,
  ): Promise<RunResult | undefined> {
    const started = performance.now();
    const key = keyOfFeeds(part, feeds);
    const plan = this.#ready.get(key) ?? (await make.get(key)?.());
    if (!plan) return undefined;
    this.#ready.set(key, plan);
    takeFailure();
    await plan.execute(feeds);
    const executed = performance.now();
    const outputs = await plan.read();
    const failure = takeFailure();
    if (failure) throw new Error(failure);
    return {
      outputs: Object.fromEntries(outputs.map((output, index) => [names[part][index] as string, output])),
      executeMs: executed - started,
      readbackMs: performance.now() - executed,
    };
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
    this.#ready.clear();
    deps?.onEnd();
  }
}
