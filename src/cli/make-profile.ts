// Computes a reference profile out of many inputs: quantiles of their features, shares of confidences and classes; pure.
import { InsituError } from "../shared/errors.js";
import { summariseInput } from "../shared/summarise-input.js";
import type { InputSpec, ReferenceFeature, ReferenceProfile } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";

/** One input of the reference, as the model reads it. */
export interface ReferenceInput {
  feeds: Record<string, TensorData>;
  /** Sizes in pixels of the images that were passed, by the input's name. */
  sizes: Record<string, { width: number; height: number }>;
  /** Where it comes from, for messages. */
  path: string;
}

/** Where the inputs of a reference come from. */
export interface InputSource {
  /** Names of the columns, of a table. */
  columns?: string[];
  /** One input each; it throws `input_invalid` or `model_format` for one that cannot be used. */
  inputs: { path: string; read(): Promise<ReferenceInput> }[];
  /** What is not an input, with the reason. */
  skipped: string[];
}

/** What the model decided for one input. */
export interface ReferenceResult {
  class: number;
  confidence: number;
}

/** As many as a profile has. */
const MAX_FEATURES = 16;
const MAX_NAME = 64;
const BINS = 20;
/** Upper ends of the bins of confidences: those of the instrument `ml.prediction.confidence`. */
const BOUNDS = Array.from({ length: BINS - 1 }, (_, i) => Math.round(5 * (i + 1)) / 100);

/** Names of the features of an input; `columns` are those of a table. */
function featureNames({ name, image }: InputSpec, columns?: readonly string[]): string[] {
  const features = image ? ["brightness", "contrast", "width", "height"] : (columns ?? ["mean", "spread"]);
  return features.map((feature) => `${name}.${feature}`);
}

/** Throws `input_invalid` where the model has more features than a profile holds, or a name that is too long or used twice. */
function checkNames(names: readonly string[]): void {
  const long = names.find((name) => name.length > MAX_NAME);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  const problem =
    names.length > MAX_FEATURES
      ? `has ${names.length} features, ${MAX_FEATURES} is the maximum. Choose columns with --columns`
      : long
        ? `would name a feature ${JSON.stringify(long)}, which is longer than ${MAX_NAME} characters. Rename the column`
        : twice && `would name two features ${JSON.stringify(twice)}. Rename one of the columns`;
  if (problem) throw new InsituError("input_invalid", `The profile ${problem}.`, { names });
}

export interface ProfileBuilder {
  /** `result` of a classification. */
  add(input: ReferenceInput, result?: ReferenceResult): void;
  count(): number;
  build(): ReferenceProfile;
}

/** @param classes - Number of classes; 0 for tasks without. */
export function createProfile(inputs: InputSpec[], classes: number, columns?: readonly string[]): ProfileBuilder {
  const names = inputs.map((input) => featureNames(input, columns));
  checkNames(names.flat());
  const values = new Map(names.flat().map((name) => [name, [] as number[]]));
  const results: ReferenceResult[] = [];
  let samples = 0;
  return {
    add({ feeds, sizes }, result) {
      samples += 1;
      for (const [index, input] of inputs.entries()) {
        const summary = summariseInput((feeds[input.name] as TensorData).data, sizes[input.name]);
        // The numbers themselves come after their mean and spread.
        const numbers = input.image || !columns ? summary : summary.slice(2);
        for (const [place, name] of (names[index] ?? []).entries())
          values.get(name)?.push(numbers[place] ?? Number.NaN);
      }
      if (result) results.push(result);
    },
    count: () => samples,
    build: () => ({
      samples,
      features: [...values].flatMap(([name, all]) => describe(name, all) ?? []),
      ...(results.length > 0 && {
        confidence: shares(
          results.map(({ confidence }) => binOf(confidence)),
          BINS,
        ),
        classes: shares(
          results.map((result) => result.class),
          classes,
        ),
      }),
    }),
  };
}

function binOf(confidence: number): number {
  const bin = BOUNDS.findIndex((bound) => confidence <= bound);
  return bin < 0 ? BINS - 1 : bin;
}

function shares(places: number[], count: number): number[] {
  const counts = new Array<number>(count).fill(0);
  for (const place of places) counts[place] = (counts[place] ?? 0) + 1;
  return counts.map((each) => each / places.length);
}

/** Undefined where no input has a value: there is nothing to compare with. */
function describe(name: string, values: number[]): ReferenceFeature | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  // The lowest value with at least that share at or below it: a value of the reference, so that equal values are found again.
  const quantile = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)] as number;
  const edges = Array.from({ length: BINS - 1 }, (_, i) => quantile((i + 1) / BINS));
  const missing = (values.length - sorted.length) / values.length;
  return { name, edges, low: sorted[0] as number, high: sorted.at(-1) as number, missing };
}
