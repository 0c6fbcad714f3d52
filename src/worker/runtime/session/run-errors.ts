// Turns what a run throws into typed errors.
import { asInsituError, InsituError } from "../../../shared/errors.js";
import type { Target } from "./engine.js";

// "Array buffer allocation failed", "Invalid array buffer length", "Cannot enlarge memory arrays", emscripten's "abort(OOM)". XNNPACK's
// kernels fail where they find no memory for their tables.
const NO_MEMORY =
  /out of memory|OOM|allocation failed|array (buffer )?length|enlarge memory|createBuffer failed|^XNN status/i;

// GatherV2, on wasm and cpu; webgpu takes zeros for a row that is not there.
const OUT_OF_TABLE = /index value (-?\d+) is not in \[0, (\d+)\]/;

/** An error of a run or of opening a model, with the code that says what can be done about it. */
export function toInsituError(error: unknown, target: Target): InsituError {
  const message = error instanceof Error ? error.message : String(error);
  if (NO_MEMORY.test(message)) {
    const advice = "Use a smaller batch, a smaller model, or close other pages";
    return new InsituError(
      "out_of_memory",
      `${target.backend} ran out of memory during a run: ${message}. ${advice}.`,
      { ...target },
      { cause: error },
    );
  }
  const [, index, last] = OUT_OF_TABLE.exec(message) ?? [];
  if (index)
    return new InsituError(
      "input_invalid",
      `The model looks up row ${index} of a table with the rows 0 to ${last}. Pass numbers in this range.`,
      { index: Number(index), range: [0, Number(last)] },
      { cause: error },
    );
  // After a trap the state of the module's memory is unknown.
  if (isTrap(error)) {
    return new InsituError("device_lost", `wasm trapped: ${message}. Predict again.`, { ...target }, { cause: error });
  }
  return asInsituError(error, "unknown", `${target.backend} failed to run the model`);
}

export const isTrap = (error: unknown): error is Error =>
  typeof WebAssembly !== "undefined" && error instanceof WebAssembly.RuntimeError;
