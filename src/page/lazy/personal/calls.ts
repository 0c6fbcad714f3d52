// The calls of a personal model from the page to the worker.
import { InsituError } from "../../../shared/errors.js";
import type { PersonalArguments, PersonalMethod, PersonalResult, WireInput } from "../../../shared/protocol.js";
import type { TrainingProgress } from "../../../shared/types/personal.js";
import type { PredictInput } from "../../api-types.js";

/** The arguments as the page has them: an input is converted for the worker when the call is sent. */
export type PersonalCallArguments<M extends PersonalMethod> = {
  [K in keyof PersonalArguments<M>]: PersonalArguments<M>[K] extends WireInput ? PredictInput : PersonalArguments<M>[K];
};

export interface PersonalCallOptions {
  signal?: AbortSignal;
  timeout: number;
  /** Names the call in error messages. */
  what: string;
  /** Throws once the call must not be sent any more. */
  check?: () => void;
  onTraining?: (progress: TrainingProgress) => void;
}

/** Sends a call to a worker that has the base model. */
export type SendPersonal = <M extends PersonalMethod>(
  method: M,
  args: PersonalCallArguments<M>,
  options: PersonalCallOptions,
) => Promise<PersonalResult<M>>;

/** As {@link SendPersonal}, with the options that every call needs. */
export type PersonalCall = <M extends PersonalMethod>(
  method: M,
  args: PersonalCallArguments<M>,
  options?: Partial<PersonalCallOptions>,
) => Promise<PersonalResult<M>>;

/** Each method's entry in the page: how error messages name the call. The compiler demands one for a method that is added to the protocol. */
const CALL_NAMES: Record<PersonalMethod, string> = {
  state: "Reading",
  addExample: "Adding an example to",
  examples: "Listing examples of",
  kept: "Reading an example of",
  remove: "Removing examples of",
  train: "Training",
  predict: "The prediction of",
  evaluate: "Evaluating",
  versions: "Listing versions of",
  revert: "Reverting",
  export: "Exporting",
  import: "Importing into",
  forget: "Forgetting",
};

// Ends calls that hang; reading and decrypting ten thousand examples takes seconds.
export const CALL_MS = 60_000;

/** Counts what was erased, so that nothing that began before comes after it. */
export interface Erasures {
  count: number;
}

/** @param isDisposed - Once it returns true every call except `forget` rejects with `disposed`. */
export function createPersonalCall(
  name: string,
  send: SendPersonal,
  isDisposed: () => boolean,
  erasures: Erasures,
): PersonalCall {
  return async (method, args, options) => {
    if (isDisposed() && method !== "forget") throw disposedError(name);
    if (method === "forget" || (method === "remove" && "label" in args)) erasures.count += 1;
    const begun = erasures.count;
    /** The pixels of an example are read before it is sent, and a call to a worker that died is sent again. */
    const check = () => {
      if (begun === erasures.count || !LEARNING.includes(method)) return;
      const message = `Not stored: ${name} was erased meanwhile.`;
      throw new InsituError("disposed", message, { reason: "forgotten" });
    };
    return send(method, args, { what: `${CALL_NAMES[method]} ${name}`, timeout: CALL_MS, check, ...options });
  };
}

const LEARNING: PersonalMethod[] = ["addExample", "train", "import"];

export function disposedError(name: string): InsituError {
  return new InsituError("disposed", `The personal model ${name} was disposed; call model.personalize again.`);
}
