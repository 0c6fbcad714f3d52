// The interface of an engine in a comparison, and the measure of difference between two engines' outputs.
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { TensorData } from "../../src/shared/types/tensor.js";

export type Outputs = Record<string, TensorData>;

/** What an engine ran on, as it reports itself. */
export interface Execution {
  backend: string;
  /** Undefined if the engine does not report it. */
  threads?: number;
  /** Digest of the model, if the engine has one. */
  digest?: string;
  /** The engine's own measurements by which it chose, as text. */
  choice?: string;
}

export interface Side {
  /** Predicts on a picture; resolves when the outputs are in the page's memory. */
  predict(image: HTMLImageElement): Promise<unknown>;
  /** Outputs by the manifest's names for a preprocessed input. */
  outputs(input: Float32Array): Promise<Outputs>;
  /** Throws if a prediction ran on another backend than requested. */
  ran(): Execution;
  dispose(): Promise<void>;
}

// Detections below this score are ignored: their order depends on the last bit of a score.
const MIN_SCORE = 0.3;

/**
 * The largest difference between two engines' outputs for the same input, relative to the output's largest value if that is above
 * 1 (landmarks are in pixels, scores are not).
 */
export function difference(ours: Outputs, reference: Outputs, manifest: Manifest): number {
  let largest = 0;
  for (const { name } of manifest.outputs) {
    const [a, b] = [numbers(ours[name], manifest), numbers(reference[name], manifest)];
    if (a.length !== b.length || b.length === 0) return Number.POSITIVE_INFINITY;
    const scale = b.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
    // NaN propagates through Math.max and is handled below.
    for (let at = 0; at < b.length; at += 1) largest = Math.max(largest, Math.abs((a[at] ?? 0) - (b[at] ?? 0)) / scale);
  }
  return Number.isNaN(largest) ? Number.POSITIVE_INFINITY : largest;
}

function numbers(
  output: TensorData | undefined,
  { task }: Manifest,
): ArrayLike<number> & { reduce: Float32Array["reduce"] } {
  const data = Float32Array.from(output?.data ?? []);
  if (task.kind !== "detection") return data;
  const columns = task.columns.length;
  const score = task.columns.indexOf("score");
  return data.filter((_, at) => (data[at - (at % columns) + score] ?? 0) >= MIN_SCORE);
}
