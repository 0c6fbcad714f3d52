// Opens a model on the first target that passes the self-test, and records why the others were not used.
import { type ErrorCode, InsituError, isInsituError } from "../../../shared/errors.js";
import type { InputSpec } from "../../../shared/types/manifest.js";
import type { BackendRefusal } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";
import type { SelfTest } from "../../package/self-test-files.js";
import { zeros } from "../inputs.js";
import type { CrashSentinel } from "./crash-sentinel.js";
import { type Engine, type ModelSource, NO_REWRITES, type PlanStore, type Session, type Target } from "./engine.js";
import { tooLarge } from "./memory-need.js";
import { verification } from "./verification.js";

export interface OpenContext {
  engine: Engine;
  source: ModelSource;
  inputs: InputSpec[];
  /** The model's name in messages. */
  name: string;
  sentinel: CrashSentinel;
  /** The package's golden inputs and outputs. */
  selfTests(): Promise<SelfTest[]>;
}

export interface OpenOptions {
  signal?: AbortSignal;
  /** Called each time all weights have been read, before the model is compiled. */
  onWeights?: () => void;
  /** Called with the milliseconds of the runs that compile kernels and check their outputs. */
  onWarmup?: (milliseconds: number) => void;
  /** A target that passed the self-test on this device before, and is not checked again. */
  known?: Target;
}

/** The package's bytes could not be read. That is not the backend's fault: the next backend would need the same bytes. */
class UnreadableError extends Error {
  constructor(readonly error: unknown) {
    super("The weights could not be read.");
  }
}

/**
 * Adds the targets that failed to `refused`. Throws `backend_unavailable` when no target runs the model, and what reading the weights
 * throws.
 */
export async function openFirst(
  context: OpenContext,
  order: Target[],
  refused: RefusedBackend[],
  options: OpenOptions = {},
): Promise<Session> {
  const { name, sentinel } = context;
  for (const target of order) {
    if (options.signal?.aborted) throw new InsituError("aborted", "Loading was aborted.");
    try {
      const begun = sentinel.begin(target.backend);
      // One that ran here before is opened while its row is written.
      if (target !== options.known) await begun;
      return await openTarget(context, target, options);
    } catch (error) {
      if (error instanceof UnreadableError) throw error.error;
      // On every other backend too.
      if (isInsituError(error) && error.code === "model_too_large") throw error;
      refused.push(refusalOf(target.backend, error));
    } finally {
      // Not awaited: the model can be used meanwhile. What begins next waits for it.
      void sentinel.end();
    }
  }
  const reasons = refused.map(({ backend, reason }) => `${backend} (${reason})`).join("; ");
  throw new InsituError("backend_unavailable", `No allowed backend runs ${name}: ${reasons}.`, { refused });
}

/** A backend that is not used. */
export interface RefusedBackend extends BackendRefusal {
  /** Set where the reason says nothing about this device, and may be gone at the next visit. */
  isPassing?: boolean;
  /** Set where the backend computed other outputs than the package says. */
  isWrong?: boolean;
}

/** Of the host or of the moment: a file that could not be fetched or was another one, memory that others used. */
const PASSING: readonly ErrorCode[] = [
  "network",
  "http_4xx",
  "http_5xx",
  "timeout",
  "model_integrity",
  "out_of_memory",
  "device_lost",
];

export function refusalOf(backend: Backend, error: unknown): RefusedBackend {
  const reason = error instanceof Error ? error.message : String(error);
  const isPassing = isInsituError(error) && PASSING.includes(error.code);
  return { backend, reason, isPassing, ...(error instanceof WrongOutputsError && { isWrong: true }) };
}

/** Opens the model and compares its outputs with the golden ones. If it throws, nothing stays allocated. */
export async function openTarget(context: OpenContext, target: Target, options: OpenOptions = {}): Promise<Session> {
  const { source } = context;
  const problem = tooLarge(source.model, target.backend);
  if (problem) throw new Error(problem);
  let unreadable: UnreadableError | undefined;
  const onReadError = (error: unknown): never => {
    unreadable = new UnreadableError(error);
    throw error;
  };
  const weights = () => observed(source.weights(), onReadError, options.onWeights);
  const selfTests = () => context.selfTests().catch(onReadError);
  const observedPlans = (plans: PlanStore): PlanStore => ({ ...plans, read: () => plans.read().catch(onReadError) });
  const open = (from: ModelSource) =>
    openChecked(
      { ...from, weights, plans: from.plans && observedPlans(from.plans) },
      target,
      { ...context, selfTests },
      options,
    );
  try {
    return await open(source).catch(async (error: unknown) => {
      // If a plan or a rewrite causes the wrong outputs, the original graph works.
      if (!(error instanceof WrongOutputsError) || !source.rewrites) throw error;
      const session = await open({ ...source, rewrites: undefined, plans: undefined, gpuPlans: undefined });
      await source.rewrites.write(NO_REWRITES);
      await source.plans?.refuse();
      await source.gpuPlans?.write(undefined);
      return session;
    });
  } catch (error) {
    throw unreadable ?? error;
  }
}

/** The same chunks; `onError` is called when reading fails, `onEnd` after the last chunk. Not a generator: each one adds a hop to every chunk. */
function observed(
  chunks: AsyncIterable<ArrayBuffer>,
  onError: (error: unknown) => never,
  onEnd?: () => void,
): AsyncIterable<ArrayBuffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const result = await iterator.next().catch(onError);
        if (result.done) onEnd?.();
        return result;
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

class WrongOutputsError extends Error {}

async function openChecked(
  source: ModelSource,
  target: Target,
  { engine, inputs, selfTests }: OpenContext,
  { known, onWarmup }: OpenOptions,
): Promise<Session> {
  const isKnown = known === target;
  const session = await engine.open(source, target);
  try {
    // There is nothing to check, and only tfjs on a GPU has kernels to compile.
    if (isKnown && (target.backend !== "webgpu" || session.plans?.info.state === "used")) return session;
    const tests = isKnown ? [] : await selfTests();
    const started = performance.now();
    // The first run compiles kernels. It also shows whether the backend has every kernel that the graph needs.
    if (tests.length === 0) await session.run(zeros(inputs));
    else await assertRight(session, tests, target);
    onWarmup?.(performance.now() - started);
    return session;
  } catch (error) {
    session.dispose();
    throw error;
  }
}

async function assertRight(session: Session, tests: SelfTest[], { backend }: Target): Promise<void> {
  const { verifySession } = await verification();
  const wrong = await verifySession(session, tests, backend);
  if (wrong !== undefined) throw new WrongOutputsError(wrong);
}
