// The hook `usePrediction`: runs a model on an input, again whenever one of them changes.
import { useEffect, useState } from "react";
import type { InsituError } from "../../shared/errors.js";
import type { TaskKind } from "../../shared/types/manifest.js";
import type { Prediction } from "../../shared/types/model.js";
import type { PredictInput, PredictOptions } from "../api-types.js";
import type { Model } from "../model.js";

/** What a prediction takes, without what the hook does itself. */
export type UsePredictionOptions<K extends TaskKind = TaskKind> = Omit<PredictOptions<K>, "signal">;

/** `idle`: the model or the input is missing. */
export type PredictionStatus = PredictionState["status"];

/** While the status is `predicting`, `prediction` is that of the model's input before, if there was one. */
export type PredictionState<K extends TaskKind = TaskKind> =
  | { status: "idle"; prediction?: undefined; error?: undefined }
  | { status: "predicting"; prediction?: Prediction<K>; error?: undefined }
  | { status: "done"; prediction: Prediction<K>; error?: undefined }
  | { status: "error"; prediction?: undefined; error: InsituError };

/** How the last call ended, and what it was called with. */
interface Outcome<K extends TaskKind> {
  model: Model<K>;
  input: PredictInput;
  key: string;
  state: PredictionState<K>;
}

/**
 * Predicts `input` with `model`. When the model, the input or an option changes, or the component is unmounted, the call that runs is
 * aborted and its result is ignored. Without a model or an input (`undefined`, `null`) nothing runs.
 *
 * Never throws: `error` is what `model.predict` rejected with.
 * @param input - Compared by identity: for an image element whose picture changed, pass its URL instead, or a new `ImageBitmap`.
 * @param options - As of `model.predict`; compared by value, so that they need no `useMemo`.
 * @example
 * ```tsx
 * const { model } = useModel("/models/digits/", { task: "classification" });
 * const { prediction, error } = usePrediction(model, file);
 * return <p>{error?.message ?? prediction?.value[0]?.label}</p>;
 * ```
 */
export function usePrediction<K extends TaskKind = TaskKind>(
  model: Model<K> | null | undefined,
  input: PredictInput | null | undefined,
  options: UsePredictionOptions<K> = {},
): PredictionState<K> {
  const [outcome, setOutcome] = useState<Outcome<K>>();
  const key = JSON.stringify(options);

  // biome-ignore lint/correctness/useExhaustiveDependencies: key holds the options by value.
  useEffect(() => {
    if (!model || input == null) return;
    const controller = new AbortController();
    const end = (state: PredictionState<K>) => {
      if (!controller.signal.aborted) setOutcome({ model, input, key, state });
    };
    model.predict(input, { ...options, signal: controller.signal } as PredictOptions<K>).then(
      (prediction) => end({ status: "done", prediction }),
      (error: InsituError) => end({ status: "error", error }),
    );
    return () => controller.abort();
  }, [model, input, key]);

  if (!model || input == null) return { status: "idle" };
  // What an earlier input gave is told from what this one gives while rendering: no render shows one under the other's status.
  if (outcome?.model !== model) return { status: "predicting" };
  if (outcome.input !== input || outcome.key !== key)
    return { status: "predicting", prediction: outcome.state.prediction };
  return outcome.state;
}
