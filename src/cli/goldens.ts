// Builds the golden outputs of a self-test: which values are stored, and which of them can be compared across backends.
import { InsituError } from "../shared/errors.js";
import type { Backend, TensorData } from "../shared/types/tensor.js";
import { type ExpectedOutput, MAX_KEPT } from "../worker/package/self-test-files.js";
import { TOLERANCE } from "../worker/package/self-test-specs.js";

export type Outputs = Record<string, TensorData>;

/** The outputs for the exact input, and for inputs perturbed slightly in both directions. */
export interface ReferenceOutputs {
  exact: Outputs;
  above?: Outputs;
  below?: Outputs;
}

export interface Goldens {
  /** The content of the outputs file. */
  text: string;
  tolerance: Record<Backend, number>;
  /** False where each output has one value throughout, or does not move with the input: most mistakes would go unseen. */
  isTelling: boolean;
  /** Outputs with infinite values, which are right then. */
  infinite: string[];
}

/** Throws `output_invalid` if none of the outputs can be compared. */
export function goldens({ exact, above, below }: ReferenceOutputs): Goldens {
  const tolerance = toleranceOf(exact);
  const kept: [string, object][] = [];
  let [hasNonZero, isTelling] = [false, false];
  for (const [name, output] of Object.entries(exact)) {
    const expected = selectValues(output, above?.[name], below?.[name], tolerance.webgpu);
    if (!expected) continue;
    kept.push([name, encode(expected)]);
    hasNonZero ||= isNonZero(expected, tolerance.webgpu);
    isTelling ||= varies(output) && moves(output, above?.[name]);
  }
  if (kept.length > 0 && !hasNonZero) {
    const message =
      "For the self-test's input, only zeros can be compared across backends, which a broken model returns too.";
    throw new InsituError("output_invalid", message);
  }
  const infinite = Object.keys(exact).filter((name) => exact[name]?.data.some(isInfinite));
  if (kept.length > 0) return { text: `${JSON.stringify(Object.fromEntries(kept))}\n`, tolerance, isTelling, infinite };
  const message =
    "For the self-test's input, rounding alone changes every output value, so backends cannot be compared.";
  throw new InsituError("output_invalid", message);
}

const isInfinite = (value: number): boolean => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;

/** The largest finite value, without its sign. */
function largest(data: ArrayLike<number>, least: number): number {
  let found = least;
  for (let index = 0; index < data.length; index += 1) {
    const size = Math.abs(data[index] as number);
    if (Number.isFinite(size)) found = Math.max(found, size);
  }
  return found;
}

const varies = ({ data }: TensorData): boolean => data.length === 1 || data.some((value) => value !== data[0]);

/** Integers, such as the index of a class, may stay the same. */
function moves({ data, dtype }: TensorData, above: TensorData | undefined): boolean {
  return !above || dtype !== "float32" || data.some((value, index) => value !== above.data[index]);
}

/** Whether a model that returns only zeros would fail the comparison. */
function isNonZero({ data, unstable }: ExpectedOutput, tolerance: number): boolean {
  const skipped = new Set(unstable);
  const scale = largest(data, 1);
  return data.some((value, place) => !skipped.has(place) && Math.abs(value) > tolerance * scale);
}

function encode({ data, dtype, shape, stride, unstable }: ExpectedOutput): object {
  const encoded = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { dtype, shape, ...(stride > 1 && { stride }), ...(unstable.length > 0 && { unstable }), data: encoded };
}

/**
 * Errors are absolute for outputs up to 1. If all outputs are small (such as the probabilities of a thousand classes), wrong ones
 * would pass, so the tolerance shrinks with the outputs; at most by a factor of 1000, since values near 0 are mostly rounding.
 */
function toleranceOf(exact: Outputs): Record<Backend, number> {
  const scale = Object.values(exact).reduce((most, { data }) => largest(data, most), 0);
  const factor = Math.min(1, Math.max(1e-3, 10 ** Math.ceil(Math.log10(scale))));
  const shrunk = (tolerance: number) => Number((tolerance * factor).toPrecision(1));
  return { webgpu: shrunk(TOLERANCE.webgpu), wasm: shrunk(TOLERANCE.wasm), cpu: shrunk(TOLERANCE.cpu) };
}

/** Selects the values to store. Returns undefined if none of them can be compared. */
function selectValues(
  { data, shape, dtype }: TensorData,
  above: TensorData | undefined,
  below: TensorData | undefined,
  tolerance: number,
): ExpectedOutput | undefined {
  const stride = Math.max(1, Math.ceil(data.length / MAX_KEPT));
  const kept = data.filter((_, index) => index % stride === 0);
  // If the size of an output depends on the last digits of the input, its values have no fixed positions to compare.
  const hasSameSize = (other?: TensorData) => !other || other.data.length === data.length;
  if (!hasSameSize(above) || !hasSameSize(below)) return undefined;
  const scale = largest(kept, 1);
  const unstable = [...kept.keys()].filter((place) => {
    const at = place * stride;
    const [exact = 0, up = exact, down = exact] = [data[at], above?.data[at], below?.data[at]];
    // The difference of two infinities is NaN.
    if (up === exact && down === exact) return false;
    return isUnstable((up - exact) / scale, (down - exact) / scale, tolerance);
  });
  if (unstable.length === kept.length) return undefined;
  return { data: kept, shape, dtype, stride, unstable };
}

/**
 * Detections swap rows when two scores are nearly equal: the rounding of another backend does that, and is not an error. A smooth
 * value moves as far up as down, so the sum of both moves is small; a swap happens in one direction only. Values that move far are
 * excluded as well. Measured on seven models: wasm differs from cpu by at most 5e-5 in the remaining values, by 0.9 without this.
 */
function isUnstable(up: number, down: number, tolerance: number): boolean {
  const jump = Math.abs(up + down);
  const move = Math.max(Math.abs(up), Math.abs(down));
  // Negated so that NaN counts as unstable.
  return !(jump <= 0.1 * tolerance && move <= tolerance);
}
