// One model that runs on its plans alone, without tfjs, until inputs come for which there is no plan.
import { InsituError, isInsituError } from "../../../shared/errors.js";
import type { PlanInfo } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Plans, RunResult, Session, Target } from "../session/engine.js";
import { isTrap, toInsituError } from "../session/run-errors.js";
import type { StepKernels } from "./own-kernels.js";
import type { ReplayPlan } from "./plan-maker.js";
import { isOutOfTable, type Part } from "./steps.js";
import { keyOfFeeds } from "./stored-plan.js";

type Feeds = Record<string, TensorData>;

/** `P` is what the plans are. */
export interface PlanSessionDeps<P extends ReplayPlan = ReplayPlan> {
  target: Target;
  /** Makes each plan, by the key of its inputs: before its first use. */
  make: ReadonlyMap<string, () => P | Promise<P>>;
  /** See `Plans`. */
  isForItems: boolean;
  /** What failed without an error since the last call. */
  takeFailure: () => string | undefined;
  /** Runs a replay; rejects with `device_lost` where the device is lost meanwhile. Absent where there is no device. */
  watch?: <T>(replay: () => Promise<T>) => Promise<T>;
  /** The model's outputs and its embedding, by the names that results have. */
  names: Record<Part, string[]>;
  /** Loads what computes steps by own kernels; absent where it cannot run. */
  kernels?: () => Promise<StepKernels<P>>;
  /** What was loaded before, since an earlier visit chose some. */
  knownKernels?: StepKernels<P>;
  /** Opens the model on tfjs, which runs whatever has no plan, and makes plans of it. */
  openTfjs: () => Promise<Session>;
  /** Called with the reason when a plan has failed: it must not be used again. */
  onFailure: (reason: string) => void;
  /** Called when the plans and their memory are given up: the session was disposed, was lost, or has moved to tfjs. */
  onEnd: () => void;
}

/** As own kernels cost a file, a model must be used a few times first. */
const USES = 3;

export class PlanSession<P extends ReplayPlan> implements Session {
  readonly target: Target;
  readonly #ready = new Map<string, P>();
  readonly #shapes: number;
  readonly #isForItems: boolean;
  /** Undefined once the model has moved to tfjs, and after `dispose`. */
  #deps: PlanSessionDeps<P> | undefined;
  /** Set once inputs came for which there is no plan. */
  #tfjs: Session | undefined;
  #lost: InsituError | undefined;
  #kernels: StepKernels<P> | undefined;
  #uses = 0;

  constructor(deps: PlanSessionDeps<P>) {
    this.#deps = deps;
    this.target = deps.target;
    this.#shapes = deps.make.size;
    this.#isForItems = deps.isForItems;
    this.#kernels = deps.knownKernels;
  }

  get plans(): Plans {
    const tfjs = this.#tfjs?.plans;
    if (tfjs) return tfjs;
    const kernels = this.#kernels;
    const info: PlanInfo = { state: "used", shapes: this.#shapes, ...kernels?.info };
    const advance: Plans["advance"] = async (tests) => {
      try {
        await kernels?.advance(tests);
      } catch (error) {
        this.#fail(error);
      }
    };
    return { info, isWanted: kernels?.isWanted === true, isForItems: this.#isForItems, advance };
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
  async #tryReplay(deps: PlanSessionDeps<P>, part: Part, feeds: Feeds): Promise<RunResult | undefined> {
    const replay = () => this.#replay(deps, part, feeds);
    try {
      return await (deps.watch ? deps.watch(replay) : replay());
    } catch (error) {
      if (isOutOfTable(error)) return undefined;
      this.#fail(error);
      return undefined;
    }
  }

  async #replay(deps: PlanSessionDeps<P>, part: Part, feeds: Feeds): Promise<RunResult | undefined> {
    const { takeFailure, names } = deps;
    const started = performance.now();
    const key = keyOfFeeds(part, feeds);
    const plan = this.#ready.get(key) ?? (await this.#make(deps, key));
    if (!plan) return undefined;
    takeFailure();
    await plan.execute(feeds);
    const executed = performance.now();
    const outputs = await plan.read();
    const failure = takeFailure();
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
  }

  /** Throws `device_lost` where it has trapped, or the device is lost. */
  #fail(error: unknown): void {
    const isLost = isInsituError(error) && error.code === "device_lost";
    if (!isLost) this.#deps?.onFailure((error as Error).message);
    if (!isLost && !isTrap(error)) return;
    this.#lost = isLost ? error : toInsituError(error, this.target);
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

  async #make({ make }: PlanSessionDeps<P>, key: string): Promise<P | undefined> {
    const plan = await make.get(key)?.();
    if (!plan) return undefined;
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
    this.#ready.clear();
    deps?.onEnd();
  }
}
