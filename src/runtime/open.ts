// Opens a model on the first allowed backend that runs it, and says why the others were not used.
import { asInsituError, InsituError } from "../errors.js";
import type { Backend, InputSpec, Refusal } from "../types.js";
import { choose } from "./choose.js";
import { zeros } from "./feeds.js";
import type { Engine, ModelSource, Session } from "./session.js";

export interface OpenOptions {
  backends: Backend[];
  /** What messages call the model. */
  name: string;
  inputs: InputSpec[];
  signal: AbortSignal;
  /** Called each time all weights have been read, before the model is compiled. */
  onWeights: () => void;
}

export interface Opened {
  session: Session;
  refused: Refusal[];
}

/** Throws `backend_unavailable` when none runs the model, and what reading the weights throws. */
export async function openSession(engine: Engine, source: ModelSource, options: OpenOptions): Promise<Opened> {
  const { backends, name, inputs, signal, onWeights } = options;
  const { order, refused } = choose(await Promise.all(backends.map((backend) => engine.probe(backend))));
  let unreadable: { error: unknown } | undefined;
  const weights = async function* () {
    try {
      yield* source.weights();
    } catch (error) {
      unreadable = { error };
      throw error;
    }
    onWeights();
  };
  for (const backend of order) {
    if (signal.aborted) throw new InsituError("aborted", "Loading was aborted.");
    try {
      const session = await engine.open({ ...source, weights }, backend);
      await warmUp(session, inputs);
      return { session, refused };
    } catch (error) {
      // Not the backend's fault: the next one would need the same bytes.
      if (unreadable) throw unreadable.error;
      const { message } = asInsituError(error, "backend_unavailable", `${backend} failed`);
      refused.push({ backend, reason: message });
    }
  }
  const reasons = refused.map(({ backend, reason }) => `${backend} (${reason})`).join("; ");
  throw new InsituError("backend_unavailable", `No allowed backend runs ${name}: ${reasons}.`, { refused });
}

/** The first run compiles kernels; it also proves that the backend has every kernel the graph needs. */
async function warmUp(session: Session, inputs: InputSpec[]): Promise<void> {
  try {
    await session.run(zeros(inputs));
  } catch (error) {
    session.dispose();
    throw error;
  }
}
