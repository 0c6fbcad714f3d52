// Tells at once whether the commands of a job are valid and found memory, of which a GPU device otherwise tells late.
import { NoPlanError } from "../steps.js";

/** Throws `NoPlanError` with the device's first error in place of the job's result; no prediction hears of it. */
export async function withoutErrors<T>(device: GPUDevice, job: () => T | Promise<T>): Promise<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  try {
    return await job();
  } finally {
    const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    const error = errors.find((one) => one !== null);
    // biome-ignore lint/correctness/noUnsafeFinally: a job that failed for such an error says less
    if (error) throw new NoPlanError(`a command failed: ${error.message}`);
  }
}
