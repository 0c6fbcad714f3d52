// Opens a model on the first target that runs it rightly, and says why the others were not used.
import { InsituError } from "../../../shared/errors.js";
import type { InputSpec } from "../../../shared/types/manifest.js";
import type { BackendRefusal } from "../../../shared/types/model.js";
import type { SelfTest } from "../../package/self-test-files.js";
import { zeros } from "../inputs.js";
import type { CrashSentinel } from "../tuning/tuning-cache.js";
import { type Engine, type ModelSource, NO_REWRITES, type Session, type Target } from "./engine.js";
import { tooLarge } from "./memory-need.js";
import { verifySession } from "./verify-session.js";

export interface OpenContext {
  engine: Engine;
  source: ModelSource;
  inputs: InputSpec[];
  /** What messages call the model. */
  name: string;
  sentinel: CrashSentinel;
  /** The package's golden inputs and outputs. */
  selfTests(): Promise<SelfTest[]>;
}

export interface OpenOptions {
  signal?: AbortSignal;
  /** Called each time all weights have been read, before the model is compiled. */
  onWeights?: () => void;
  /** Hears how long the runs took that compile kernels and check what they compute. */
  onWarmup?: (milliseconds: number) => void;
  /** A target that was right on this device before, and need not be checked again. */
  known?: Target;
}

/** The bytes could not be read, which is not the backend's fault: the next one would need the same. */
class Unreadable extends Error {
  constructor(readonly error: unknown) {
    super("The weights could not be read.");
  }
}

/**
 * `refused` gets what was tried in vain. Throws `backend_unavailable` when no target runs the model, and what reading the weights
 * throws.
 */
export async function openFirst(
  context: OpenContext,
  order: Target[],
  refused: BackendRefusal[],
  options: OpenOptions = {},
): Promise<Session> {
  const { name, sentinel } = context;
  for (const target of order) {
    if (options.signal?.aborted) throw new InsituError("aborted", "Loading was aborted.");
    try {
      await sentinel.begin(target.backend);
      return await openTarget(context, target, options);
    } catch (error) {
      if (error instanceof Unreadable) throw error.error;
      refused.push({ backend: target.backend, reason: reasonOf(error) });
    } finally {
      await sentinel.end();
    }
  }
  const reasons = refused.map(({ backend, reason }) => `${backend} (${reason})`).join("; ");
  throw new InsituError("backend_unavailable", `No allowed backend runs ${name}: ${reasons}.`, { refused });
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Opens the model and compares what it computes with the golden outputs. Throws why that failed; nothing stays allocated then. */
export async function openTarget(context: OpenContext, target: Target, options: OpenOptions = {}): Promise<Session> {
  const { engine, source } = context;
  const missing = engine.missingOps(source.model, target.backend);
  if (missing.length > 0) throw new Error(`${target.backend} has no kernel for ${missing.join(", ")}`);
  const problem = tooLarge(source.model, target.backend);
  if (problem) throw new Error(problem);
  let unreadable: Unreadable | undefined;
  const reading = (error: unknown): never => {
    unreadable = new Unreadable(error);
    throw error;
  };
  const weights = async function* () {
    try {
      yield* source.weights();
    } catch (error) {
      reading(error);
    }
    options.onWeights?.();
  };
  const selfTests = () => context.selfTests().catch(reading);
  const opened = (given: ModelSource) => checked({ ...given, weights }, target, { ...context, selfTests }, options);
  try {
    return await opened(source).catch(async (error: unknown) => {
      // Should a rewrite be what is wrong, the graph as it is will do.
      if (!(error instanceof WrongNumbers) || !source.rewrites) throw error;
      const session = await opened({ ...source, rewrites: undefined });
      await source.rewrites.write(NO_REWRITES);
      return session;
    });
  } catch (error) {
    throw unreadable ?? error;
  }
}

class WrongNumbers extends Error {}

async function checked(
  source: ModelSource,
  target: Target,
  { engine, inputs, selfTests }: OpenContext,
  { known, onWarmup }: OpenOptions,
): Promise<Session> {
  const isKnown = known === target;
  const session = await engine.open(source, target);
  try {
    // Nothing is left to find out, and only a GPU has kernels to compile.
    if (isKnown && target.backend !== "webgpu") return session;
    const tests = isKnown ? [] : await selfTests();
    const started = performance.now();
    // The first run compiles kernels; it also proves that the backend has every kernel the graph needs.
    if (tests.length === 0) await session.run(zeros(inputs));
    const wrong = await verifySession(session, tests, target.backend);
    if (wrong !== undefined) throw new WrongNumbers(wrong);
    onWarmup?.(performance.now() - started);
    return session;
  } catch (error) {
    session.dispose();
    throw error;
  }
}
