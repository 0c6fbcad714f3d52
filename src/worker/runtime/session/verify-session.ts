// Compares a backend's outputs with the package's golden outputs, and states the difference in figures.
import type { Backend, TensorData } from "../../../shared/types/tensor.js";
import type { ExpectedOutput, SelfTest } from "../../package/self-test-files.js";
import type { Session } from "./engine.js";

export interface Comparison {
  agrees: boolean;
  /** The largest error of all values compared; infinite where a shape is wrong or a value is not finite. */
  worst: number;
  /** The output with the largest error. */
  output: string;
  /** The value's place in the whole output; 0 where a shape is wrong. */
  index: number;
  expected: number;
  actual: number;
  /** The problem, where it is not a difference between two values. */
  problem?: string;
}

/**
 * The error of a value is `|actual - expected| / max(1, scale)`, where scale is the largest `|expected|` of its output: absolute
 * for probabilities, relative to the output's scale for pixels and logits. NaN and another shape never agree, infinity only where the
 * recording has the same. Values that the recording marks as unstable are not compared.
 */
export function compareOutputs(
  expected: Record<string, ExpectedOutput>,
  actual: Record<string, TensorData>,
  tolerance: number,
): Comparison {
  let worst: Comparison = { agrees: true, worst: 0, output: "", index: 0, expected: 0, actual: 0 };
  for (const [output, right] of Object.entries(expected)) {
    const found = Object.hasOwn(actual, output) ? actual[output] : undefined;
    const one = compareOutput(output, right, found);
    if (worst.output === "" || one.worst > worst.worst) worst = one;
  }
  return { ...worst, agrees: worst.worst <= tolerance };
}

function compareOutput(output: string, right: ExpectedOutput, found: TensorData | undefined): Comparison {
  const failed = { agrees: false, worst: Number.POSITIVE_INFINITY, output, index: 0, expected: 0, actual: 0 };
  if (!found) return { ...failed, problem: `gave no output ${output}` };
  const isShaped = found.shape.length === right.shape.length && found.shape.every((size, i) => size === right.shape[i]);
  if (!isShaped || found.data.length !== right.shape.reduce((product, size) => product * size, 1)) {
    const shapes = `[${found.shape.join(", ")}] where [${right.shape.join(", ")}] is right`;
    return { ...failed, problem: `gave an output ${output} of shape ${shapes}` };
  }
  const allows = isInfinite(right);
  const index = found.data.findIndex((value) => !Number.isFinite(value) && !(allows && !Number.isNaN(value)));
  if (index >= 0) {
    const value = found.data[index] as number;
    return { ...failed, index, actual: value, problem: `gave ${value} (output ${output}[${index}])` };
  }
  return worstValue(output, right, found);
}

/** Whether infinite values are right in this output. */
const isInfinite = ({ data }: ExpectedOutput): boolean => data.some((value) => !Number.isFinite(value));

function worstValue(output: string, { data, stride, unstable }: ExpectedOutput, found: TensorData): Comparison {
  let scale = 1;
  for (const value of data) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
  const skipped = new Set(unstable);
  let worst: Comparison = { agrees: true, worst: -1, output, index: 0, expected: 0, actual: 0 };
  for (const [place, expected] of data.entries()) {
    if (skipped.has(place)) continue;
    const index = place * stride;
    const actual = found.data[index] as number;
    // The difference of two infinities is NaN.
    const error = actual === expected ? 0 : Math.abs(actual - expected) / scale;
    if (error > worst.worst) worst = { agrees: true, worst: error, output, index, expected, actual };
  }
  return worst;
}

/**
 * The reason why this backend must not run the model, with figures; undefined when it passes all tests. Stops at the first test that
 * fails. Throws what `session.run` throws.
 */
export async function verifySession(
  session: Session,
  tests: SelfTest[],
  backend: Backend,
): Promise<string | undefined> {
  for (const { inputs, outputs, tolerance } of tests) {
    const { outputs: actual } = await session.run(inputs);
    const found = compareOutputs(outputs, actual, tolerance[backend]);
    if (!found.agrees) return reasonText(found, backend, tolerance[backend]);
  }
  return undefined;
}

/** `wasm gave 0.123 where 0.456 is right (output scores[17]), an error of 3.3e-1; the tolerance is 1e-4`. */
export function reasonText(found: Comparison, backend: Backend, tolerance: number): string {
  if (found.problem) return `the self-test failed: ${backend} ${found.problem}`;
  const { actual, expected, output, index, worst } = found;
  const figures = `${short(actual)} where ${short(expected)} is right (output ${output}[${index}])`;
  return `the self-test failed: ${backend} gave ${figures}, an error of ${worst.toExponential(1)}; the tolerance is ${tolerance.toExponential()}`;
}

const short = (value: number): string => `${Number(value.toPrecision(6))}`;
