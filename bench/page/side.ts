// What the benchmark asks of every engine in the page, and how the answers of two engines are compared.
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { TensorData } from "../../src/shared/types/tensor.js";

export type Outputs = Record<string, TensorData>;

/** What an engine really ran on, by its own account. */
export interface Ran {
  backend: string;
  /** Absent where the engine does not tell. */
  threads?: number;
  /** Of the model that ran, where the engine knows one. */
  digest?: string;
  /** Why it runs there: what it measured itself before, as text. */
  choice?: string;
}

export interface Side {
  /** One prediction from a picture, until the outputs are numbers of the page. */
  predict(image: HTMLImageElement): Promise<unknown>;
  /** The outputs, by the manifest's names, for an input that was prepared already. */
  outputs(input: Float32Array): Promise<Outputs>;
  /** Throws when a prediction ran elsewhere than it was asked to. */
  ran(): Ran;
  dispose(): Promise<void>;
}

// Under it a row of a detection is never shown: its place in the list hangs on the last bit of a score.
const MIN_SCORE = 0.3;

/**
 * How far two engines are apart for the same input: the largest difference of two numbers of an output, as a share of the
 * output's largest number where that is above 1 (landmarks are pixels, scores are not).
 */
export function difference(ours: Outputs, reference: Outputs, manifest: Manifest): number {
  let largest = 0;
  for (const { name } of manifest.outputs) {
    const [a, b] = [numbers(ours[name], manifest), numbers(reference[name], manifest)];
    if (a.length !== b.length || b.length === 0) return Number.POSITIVE_INFINITY;
    const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    // NaN is no answer, and Math.max would keep it.
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
