// Writes down what a model gave as the outputs of a self-test: which values are kept, and which of them can be compared.
import { InsituError } from "../shared/errors.js";
import type { Backend, TensorData } from "../shared/types/tensor.js";
import { type ExpectedOutput, MAX_KEPT, TOLERANCE } from "../worker/package/self-test-files.js";

export type Outputs = Record<string, TensorData>;

/** What the model gives, and what it gives for inputs that are a little off, to both sides. */
export interface Answers {
  exact: Outputs;
  above?: Outputs;
  below?: Outputs;
}

export interface Goldens {
  /** The content of the outputs' file. */
  text: string;
  tolerance: Record<Backend, number>;
}

/** Throws `output_invalid` when nothing that the model gave can be compared. */
export function goldens({ exact, above, below }: Answers): Goldens {
  const tolerance = toleranceOf(exact);
  const kept: [string, object][] = [];
  let isTelling = false;
  for (const [name, output] of Object.entries(exact)) {
    const expected = keep(output, above?.[name], below?.[name], tolerance.webgpu);
    if (!expected) continue;
    kept.push([name, written(expected)]);
    isTelling ||= tells(expected, tolerance.webgpu);
  }
  if (kept.length > 0 && !isTelling) {
    const message =
      "Of what the model gives for the self-test's input only zeros can be compared, which a broken one gives too.";
    throw new InsituError("output_invalid", message);
  }
  if (kept.length > 0) return { text: `${JSON.stringify(Object.fromEntries(kept))}\n`, tolerance };
  const message =
    "Rounding alone changes all that the model gives for the self-test's input, so no backend can be compared.";
  throw new InsituError("output_invalid", message);
}

/** Whether a model that gave only zeros would be found out. */
function tells({ data, unstable }: ExpectedOutput, tolerance: number): boolean {
  const skipped = new Set(unstable);
  let [most, scale] = [0, 1];
  for (const [place, value] of data.entries()) {
    scale = Math.max(scale, Math.abs(value));
    if (!skipped.has(place)) most = Math.max(most, Math.abs(value));
  }
  return most > tolerance * scale;
}

function written({ data, dtype, shape, stride, unstable }: ExpectedOutput): object {
  const encoded = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { dtype, shape, ...(stride > 1 && { stride }), ...(unstable.length > 0 && { unstable }), data: encoded };
}

/**
 * Errors count absolutely up to outputs of 1: where all are small (the thousandths of a thousand classes), nonsense would pass, so
 * the tolerance shrinks with them. Not below a thousandth, for what is nearly 0 consists of rounding.
 */
function toleranceOf(exact: Outputs): Record<Backend, number> {
  let scale = 0;
  for (const { data } of Object.values(exact)) for (const value of data) scale = Math.max(scale, Math.abs(value));
  const factor = Math.min(1, Math.max(1e-3, 10 ** Math.ceil(Math.log10(scale))));
  const shrunk = (tolerance: number) => Number((tolerance * factor).toPrecision(1));
  return { webgpu: shrunk(TOLERANCE.webgpu), wasm: shrunk(TOLERANCE.wasm), cpu: shrunk(TOLERANCE.cpu) };
}

/** Undefined when the output has nothing that can be compared. */
function keep(
  { data, shape, dtype }: TensorData,
  above: TensorData | undefined,
  below: TensorData | undefined,
  tolerance: number,
): ExpectedOutput | undefined {
  const stride = Math.max(1, Math.ceil(data.length / MAX_KEPT));
  const kept = data.filter((_, index) => index % stride === 0);
  // An output that changes its size with the input's last digits has no place that could be compared.
  const isSized = (other?: TensorData) => !other || other.data.length === data.length;
  if (!isSized(above) || !isSized(below)) return undefined;
  let scale = 1;
  for (const value of kept) scale = Math.max(scale, Math.abs(value));
  const unstable = [...kept.keys()].filter((place) => {
    const at = place * stride;
    const [exact = 0, up = exact, down = exact] = [data[at], above?.data[at], below?.data[at]];
    return isUnstable((up - exact) / scale, (down - exact) / scale, tolerance);
  });
  if (unstable.length === kept.length) return undefined;
  return { data: kept, shape, dtype, stride, unstable };
}

/**
 * Detections swap their rows when two scores are nearly equal: another backend's rounding does that, and is not wrong. What is
 * smooth moves as far up as down, so of the two together little is left; a swap happens to one side only. What moves far is left
 * out as well. Measured on seven models: of the values that stay, wasm differs from cpu by 5e-5 at most, and by 0.9 without this.
 */
function isUnstable(up: number, down: number, tolerance: number): boolean {
  const jump = Math.abs(up + down);
  const move = Math.max(Math.abs(up), Math.abs(down));
  // Written so that NaN is unstable.
  return !(jump <= 0.1 * tolerance && move <= tolerance);
}
