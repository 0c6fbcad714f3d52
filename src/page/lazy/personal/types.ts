// The public interface of a personal model.
import type {
  AddExampleOptions,
  AddedExample,
  ImportResult,
  PersonalEvaluation,
  PersonalExample,
  PersonalPrediction,
  PersonalState,
  PersonalVersion,
  TrainOptions,
  TriggerOutcome,
} from "../../../shared/types/personal.js";
import type { PredictInput, PredictOptions } from "../../api-types.js";
import type { FeedbackSample } from "../monitor/monitor.js";
import type { FeedbackResult } from "../monitor/types.js";

/**
 * Classes that one user defines by examples, on top of a model whose manifest names an `embedding`. Everything is stored encrypted in this
 * browser. After `dispose` every method except `forget` rejects with `disposed`.
 *
 * @example
 * ```ts
 * const mine = await model.personalize("my-things", { triggers: { examples: 4 } });
 * await mine.addExample(photo, "mug");
 * const { label = "unknown", distance } = await mine.predict(photo);
 * ```
 */
export interface PersonalModel {
  readonly name: string;
  /**
   * Counts, the version in use and its accuracy.
   *
   * @example
   * ```ts
   * const { examples, labels, version, accuracy } = await mine.state();
   * ```
   */
  state(): Promise<PersonalState>;
  /**
   * Stores the embedding of `input` as an example of the class `label`; the input itself is stored only with `keep`. Resolves once it is
   * stored. One example of a class is enough to predict it.
   *
   * @param label - 1 to 200 characters.
   * @throws As the model's `predict`; `input_invalid` for a label of another length, `storage_quota` when the browser has no space left,
   * `consent_denied` when the user denied consent.
   * @example
   * ```ts
   * const { id } = await mine.addExample(photo, "mug", { keep: true });
   * ```
   */
  addExample(input: PredictInput, label: string, options?: AddExampleOptions): Promise<AddedExample>;
  /**
   * All examples, in the order in which they were added.
   *
   * @example
   * ```ts
   * const mugs = (await mine.examples()).filter(({ label }) => label === "mug");
   * ```
   */
  examples(): Promise<PersonalExample[]>;
  /**
   * The input that was kept with an example: an image as JPEG, numbers as their bytes. Undefined where none was kept.
   *
   * @example
   * ```ts
   * const blob = await mine.kept(id);
   * if (blob) image.src = URL.createObjectURL(blob);
   * ```
   */
  kept(id: string): Promise<Blob | undefined>;
  /**
   * Removes one example by its id, or all of a label. Versions that were trained on it stay. Returns how many were removed.
   *
   * @example
   * ```ts
   * await mine.remove(id);
   * await mine.remove({ label: "mug" });
   * ```
   */
  remove(what: string | { label: string }): Promise<number>;
  /**
   * Trains the heads on all examples that are not held out, stores the better one as a new version, and uses it unless it is less accurate on
   * the held-out examples than the version in use. The heads are the nearest class mean (Snell et al. 2017) and, from two examples of each class
   * on, multinomial logistic regression, trained by Adam (Kingma & Ba 2015).
   *
   * @throws `input_invalid` when there are no examples, `aborted` when the signal aborts, `consent_denied`.
   * @example
   * ```ts
   * const { activated, reason, judged } = await mine.train({ budget: 5_000, onProgress: ({ phase }) => console.log(phase) });
   * ```
   */
  train(options?: TrainOptions): Promise<PersonalVersion>;
  /**
   * Predicts by the version in use; before the first training by the nearest class mean of all examples.
   *
   * @throws As the model's `predict`; `input_invalid` when there are no examples.
   * @example
   * ```ts
   * const { id, label, value, distance } = await mine.predict(photo);
   * console.log(label ?? "unknown", value[0]?.score, distance);
   * ```
   */
  predict(input: PredictInput, options?: Pick<PredictOptions, "signal" | "timeout">): Promise<PersonalPrediction>;
  /**
   * Evaluates the version in use on the held-out examples.
   *
   * @throws `input_invalid` when there are no examples.
   * @example
   * ```ts
   * const { accuracy, interval, confusion } = await mine.evaluate();
   * ```
   */
  evaluate(): Promise<PersonalEvaluation>;
  /**
   * The last 20 versions, the oldest first; the version in use is always among them.
   *
   * @example
   * ```ts
   * const accuracies = (await mine.versions()).map(({ head, judged }) => judged[head]?.accuracy);
   * ```
   */
  versions(): Promise<PersonalVersion[]>;
  /**
   * Uses another version.
   *
   * @param version - Default: the parent of the version in use.
   * @throws `input_invalid` when there is no such version, or the loaded model cannot use it.
   * @example
   * ```ts
   * await mine.revert();
   * ```
   */
  revert(version?: number): Promise<PersonalVersion>;
  /**
   * Tells what a prediction should have been. `label` is accepted for the last 1,000 predictions of this page; `correct` up to 7 days later, also
   * from another page of the site. Repeating it changes nothing.
   *
   * @param id - The `id` of the prediction.
   * @throws `disabled` when the client was created with `monitor: false`, `network` when the monitor could not be fetched, `consent_denied`.
   * @example
   * ```ts
   * const { id } = await mine.predict(photo);
   * await mine.feedback(id, { label: "mug" });
   * ```
   */
  feedback(id: string, feedback: { label: string } | { correct: boolean }): Promise<FeedbackResult>;
  /**
   * Exports examples and versions as one file, which is not encrypted.
   *
   * @param options - `kept`: whether to include the inputs that were kept; default true.
   * @example
   * ```ts
   * const file = await mine.export({ kept: false });
   * ```
   */
  export(options?: { kept?: boolean }): Promise<Blob>;
  /**
   * Adds the examples and versions of such a file.
   *
   * @throws `input_invalid` for a file that was altered, is not an export, or belongs to another base model; nothing is changed then.
   * `consent_denied`.
   * @example
   * ```ts
   * const { examples, versions, known } = await mine.import(file);
   * ```
   */
  import(file: Blob): Promise<ImportResult>;
  /**
   * Removes examples, inputs, versions and feedback, and destroys the key that they are encrypted with.
   *
   * @example
   * ```ts
   * await mine.forget();
   * ```
   */
  forget(): Promise<void>;
  readonly monitor: PersonalMonitor;
  /**
   * Stops the triggers; everything that is stored stays. Calling it twice is safe.
   *
   * @example
   * ```ts
   * await mine.dispose(); // or: await using mine = await model.personalize("my-things");
   * ```
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PersonalMonitor {
  /**
   * Accuracy of the versions by feedback, and the last 20 triggers that fired since the page opened, the oldest first.
   *
   * @example
   * ```ts
   * const { versions, fired } = mine.monitor.snapshot();
   * ```
   */
  snapshot(): FeedbackSample & { fired: TriggerOutcome[] };
}
