// Keeps a model running on this device: opens it again when its device is lost, and on another backend when one fails.
import { type InsituError, isInsituError } from "../../../shared/errors.js";
import type { BackendChange, Residence } from "../../../shared/protocol.js";
import type { BackendMeasurement, BackendRefusal, BackendReport } from "../../../shared/types/model.js";
import type { Backend, TensorData } from "../../../shared/types/tensor.js";
import { firstInvalid } from "../outputs.js";
import { isSame, refusals, startCandidates } from "../tuning/candidates.js";
import { type Choice, environmentOf, forget, recall, type TuningCache } from "../tuning/tuning-cache.js";
import type { RunResult, Session, Target } from "./engine.js";
import { type OpenContext, type OpenOptions, openFirst, type RefusedBackend, refusalOf } from "./open-session.js";

export interface ResilientSessionDeps extends OpenContext {
  backends: Backend[];
  tuningCache: TuningCache;
  /** Maximum number of threads that this worker may use. */
  maxThreads: number;
}

export interface ResilientRun extends RunResult {
  backend: Backend;
  /** Set on a part of a batch: how many items it had. */
  items?: number;
}

type Feeds = Record<string, TensorData>;
type Run = (session: Session) => Promise<RunResult>;

/** What is known about the backends before the model is opened. */
interface Start {
  reports: BackendReport[];
  environment: string;
  /** Targets to try, in this order. */
  targets: Target[];
  refused: RefusedBackend[];
  /** The stored choice, where it may still be used. */
  choice?: Choice;
}

// After two crashes the browser's GPU process gives no adapter any more.
const MAX_LOSSES = 2;

/** Rejects as `openFirst` does. */
export async function openResilientSession(
  deps: ResilientSessionDeps,
  options: OpenOptions,
): Promise<ResilientSession> {
  const start = await prepareStart(deps);
  const { targets, refused, choice } = start;
  const known = choice?.target;
  const order = known ? [known, ...targets.filter((target) => !isSame(target, known))] : targets;
  const session = await openFirst(deps, order, refused, { ...options, known });
  return new ResilientSession(deps, start, session);
}

async function prepareStart({ engine, backends, tuningCache, sentinel, maxThreads }: ResilientSessionDeps) {
  const probed = await Promise.all(backends.map((backend) => engine.probe(backend)));
  const reports = probed.map((report) => ({
    ...report,
    threads: report.threads && Math.min(report.threads, maxThreads),
  }));
  const crashed = await sentinel.refused();
  const hasCrashed = (backend: Backend) => crashed.some((crash) => crash.backend === backend);
  // Part of the environment, so that all backends are measured again once a crash has expired.
  const environment = environmentOf(reports.filter(({ backend }) => !hasCrashed(backend)));
  const choice = await recall(tuningCache, environment);
  const { order, refused } = startCandidates(reports);
  const usable = order.filter(({ backend }) => !hasCrashed(backend));
  // If every backend has crashed, the last one is tried again.
  const targets = usable.length > 0 ? usable : order.slice(-1);
  const isTarget = (backend: Backend) => targets.some((target) => target.backend === backend);
  refused.push(...crashed.filter(({ backend }) => !isTarget(backend)));
  const start: Start = { reports, environment, targets, refused };
  return choice && isTarget(choice.target.backend) ? { ...start, choice } : start;
}

function isRecoverable(error: unknown): error is InsituError {
  return isInsituError(error) && (error.code === "device_lost" || error.code === "out_of_memory");
}

/** `run`, `embed`, `adopt`, `replaceInvalid` and `replaceWrong` need exclusive use of the engine. */
export class ResilientSession {
  readonly deps: ResilientSessionDeps;
  /** True when the target was measured at an earlier visit, in the same environment. */
  readonly isRecalled: boolean;
  /** Called when the model moved to another session; `change` is absent where a faster target was found. */
  onChange: ((change?: BackendChange) => void) | undefined;
  readonly #start: Start;
  readonly #losses = new Map<Backend, number>();
  #session: Session;
  #measured: BackendMeasurement[];
  #isDisposed = false;
  /** Set once a target of the backend in use was left for a reason that may be gone at the next visit. */
  #isForced = false;
  /** Set while no backend could be opened again; the next run tries once more. */
  #failure: InsituError | undefined;

  constructor(deps: ResilientSessionDeps, start: Start, session: Session) {
    this.deps = deps;
    this.#start = start;
    this.#session = session;
    this.isRecalled = start.choice !== undefined && session.target === start.choice.target;
    this.#measured = this.isRecalled && start.choice ? start.choice.measured : [];
  }

  get environment(): string {
    return this.#start.environment;
  }

  /** False where the next visit must look for the fastest target again: a choice that was forced would last for ever. */
  get isWorthRemembering(): boolean {
    return !this.#isForced && !this.#start.refused.some(({ isPassing }) => isPassing);
  }

  get session(): Session {
    return this.#session;
  }

  get target(): Target {
    return this.#session.target;
  }

  /** Reports of the backends that have not been refused. */
  usable(): BackendReport[] {
    return this.#start.reports.filter(({ backend }) => !this.#isRefused(backend));
  }

  residence(): Residence {
    const { refused } = this.#start;
    const { backend, threads } = this.target;
    const current = this.#measured.find((measurement) => isSame(measurement, this.target));
    const found = current
      ? refusals(this.deps.backends, current, this.#measured, refused)
      : refused.filter((refusal) => refusal.backend !== backend);
    const reasons = found.map((refusal): BackendRefusal => ({ backend: refusal.backend, reason: refusal.reason }));
    const plan = this.#session.plans?.info ?? { state: "none", shapes: 0, reason: `${backend} has no plans` };
    return { backend, ...(threads !== undefined && { threads }), refused: reasons, measured: this.#measured, plan };
  }

  /**
   * Runs the model. If its device was lost or has no memory left, the model is opened again and the run repeated; if there is still too
   * little memory, on another backend. `items` is the number of predictions in it: for more than one it rejects with `out_of_memory`
   * once the model is open again, and the caller runs fewer at once.
   */
  run(feeds: Feeds, items: number): Promise<ResilientRun> {
    return this.#runRecovering((session) => session.run(feeds), items);
  }

  /** Runs the part of the model that its embedding needs; otherwise as `run`. */
  embed(feeds: Feeds, items: number): Promise<ResilientRun> {
    return this.#runRecovering((session) => session.embed(feeds), items);
  }

  /** The outputs held NaN or infinity for these finite feeds: moves to a backend whose outputs are finite, if there is one. */
  async replaceInvalid(feeds: Feeds, reason: string): Promise<void> {
    const { backend } = this.target;
    for (const target of this.#fallbacks().filter((other) => other.backend !== backend)) {
      const next = await openFirst(this.deps, [target], []).catch(() => undefined);
      if (!next) continue;
      const { outputs } = await next.run(feeds).catch(() => ({ outputs: undefined }));
      if (outputs && !firstInvalid(outputs, this.deps.source.outputs)) {
        this.#start.refused.push({ backend, reason });
        this.#session.dispose();
        this.#moveTo(next, { from: backend, code: "output_invalid" });
        return;
      }
      // The model or its input causes the invalid outputs, not the backend.
      next.dispose();
      this.deps.engine.stop(target);
    }
  }

  /** The self-test of a target that an earlier visit chose has failed: what was kept of the model is dropped, and it is opened anew. */
  async replaceWrong(reason: InsituError): Promise<void> {
    await this.deps.source.rewrites?.write(undefined);
    await forget(this.deps.tuningCache);
    await this.#reopen(reason);
  }

  /** Continues with this session, and stores what has been measured since. */
  adopt(session: Session, measured: BackendMeasurement[]): void {
    this.#measured = measured;
    const before = this.#session;
    if (session !== before) {
      before.dispose();
      this.deps.engine.stop(before.target);
    }
    this.#moveTo(session);
  }

  /** Records that the backend was tried and is not used. */
  refuse(backend: Backend, error: unknown): void {
    const refusal = refusalOf(backend, error);
    // A failure with one number of threads says nothing about the backend in use.
    if (backend === this.target.backend) this.#isForced ||= refusal.isPassing === true;
    else if (!this.#isRefused(backend)) this.#start.refused.push(refusal);
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#session.dispose();
  }

  #isRefused(backend: Backend): boolean {
    return this.#start.refused.some((refusal) => refusal.backend === backend);
  }

  /** The targets that may still be tried, the current one first. */
  #fallbacks(): Target[] {
    const left = this.#start.targets.filter(({ backend }) => !this.#isRefused(backend));
    const others = left.filter(({ backend }) => backend !== this.target.backend);
    return others.length < left.length ? [this.target, ...others] : left;
  }

  #moveTo(session: Session, change?: BackendChange): void {
    this.#session = session;
    if (this.#isDisposed) session.dispose();
    this.onChange?.(change);
  }

  async #runRecovering(run: Run, items: number): Promise<ResilientRun> {
    try {
      if (this.#failure) throw this.#failure;
      return await this.#runHere(run);
    } catch (error) {
      if (this.#isDisposed || !isRecoverable(error)) throw error;
      if (error.code === "device_lost") this.#countLoss(error);
      await this.#reopen(error);
      if (error.code === "device_lost") return this.#runHere(run);
      if (items > 1) throw error;
      return this.#runWithMemory(run);
    }
  }

  async #runHere(run: Run): Promise<ResilientRun> {
    return { ...(await run(this.#session)), backend: this.target.backend };
  }

  /** A second try with fresh memory, and one on the next backend. */
  async #runWithMemory(run: Run): Promise<ResilientRun> {
    try {
      return await this.#runHere(run);
    } catch (error) {
      if (this.#isDisposed || !isRecoverable(error)) throw error;
      const { backend } = this.target;
      const isLast = this.#fallbacks().every((target) => target.backend === backend);
      if (!isLast) this.#start.refused.push(refusalOf(backend, error));
      await this.#reopen(error);
      if (isLast) throw error;
      return this.#runHere(run);
    }
  }

  #countLoss({ message }: InsituError): void {
    const { backend } = this.target;
    const count = (this.#losses.get(backend) ?? 0) + 1;
    this.#losses.set(backend, count);
    if (count < MAX_LOSSES) return;
    this.#start.refused.push({
      backend,
      reason: `its device was lost ${count} times: ${message}`,
      isPassing: true,
    });
  }

  async #reopen(reason: InsituError): Promise<void> {
    this.#failure = reason;
    this.#session.dispose();
    // A wasm module that trapped or ran out of memory cannot be used again; a GPU device is replaced when its backend starts.
    this.deps.engine.stop(this.target);
    const change = { from: this.target.backend, code: reason.code };
    this.#moveTo(await openFirst(this.deps, this.#fallbacks(), this.#start.refused), change);
    this.#failure = undefined;
  }
}
