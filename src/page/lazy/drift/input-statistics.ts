// Statistics of a sample of the inputs: histograms by feature, never the inputs.

import type { ModelInfo } from "../../../shared/types/model.js";
import type { InputsRecord } from "../telemetry/records.js";
import { createFeatureHistogram, type FeatureHistogram } from "./feature-histogram.js";
import { nameFeatures, quantileOf } from "./feature-values.js";
import type { InputFeatureState } from "./types.js";

type InputModel = Pick<ModelInfo, "inputs" | "reference">;

export interface InputStatistics {
  /** Whether the next prediction is part of the sample. */
  isDue(backend: string): boolean;
  /** Adds what the worker computed of an input. Returns what may leave the page: quantiles, where there is a profile. */
  add(summaries: Record<string, number[]>, model: InputModel): Pick<InputsRecord, "quantiles" | "missing"> | undefined;
  state(): InputFeatureState[];
  clear(): void;
}

// A video has 60 frames a second, which say little more.
const EVERY_MS = 100;
// On a GPU an image is converted a second time for its statistics: for fewer than half of the predictions, so that their median stays.
const GPU_SHARE = 0.25;
/** As many as a profile may have; an input named by a page cannot make more. */
const MAX_FEATURES = 64;

export function createInputStatistics(now = () => performance.now(), random = Math.random): InputStatistics {
  const histograms = new Map<string, FeatureHistogram>();
  let next = 0;

  return {
    isDue(backend) {
      const time = now();
      if (time < next) return false;
      next = time + EVERY_MS;
      return backend !== "webgpu" || random() < GPU_SHARE;
    },
    add(summaries, { inputs, reference }) {
      const quantiles: Record<string, number> = {};
      const missing: string[] = [];
      for (const [feature, value] of Object.entries(nameFeatures(summaries, inputs, reference))) {
        const known = reference?.features.find(({ name }) => name === feature);
        const key = `${feature}${known ? " as a quantile" : ""}`;
        const histogram = histograms.get(key) ?? createFeatureHistogram(known !== undefined);
        if (histograms.size < MAX_FEATURES) histograms.set(key, histogram);
        const isMissing = !Number.isFinite(value);
        const quantile = known && !isMissing ? quantileOf(value, known, random) : undefined;
        histogram.add(value, quantile);
        if (quantile !== undefined) quantiles[feature] = quantile;
        else if (known) missing.push(feature);
      }
      return reference ? { quantiles, missing } : undefined;
    },
    state: () => [...histograms].map(([key, histogram]) => histogram.state(key.replace(/ as a quantile$/, ""))),
    clear: () => histograms.clear(),
  };
}
