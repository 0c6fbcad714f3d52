// Recognises the objects in one picture after the other with the current model, and shows the results.
import type { Detection, Model, Prediction } from "insitu";
import { hideFailure, showFailure } from "./failures.js";
import { inWords, listFound, listNothing } from "./results.js";
import type { Stage } from "./stage.js";
import { say } from "./status.js";
import { noTimings, showTimings } from "./timings.js";
import { duration } from "./words.js";

export interface Picture {
  name: string;
  content: Blob;
}

/** The lowest end of the slider: objects are asked for once, and the slider shows fewer or more of them at once. */
const ASKED_SCORE = 0.05;

export class Recogniser {
  readonly #stage: Stage;
  readonly #onPrediction: () => void;
  #model: Promise<Model<"detection">> | undefined;
  #current: Picture | undefined;
  #running = new AbortController();
  #minScore: number;
  /** Of the shown result, with all scores from `ASKED_SCORE`. */
  #found: Detection[] | undefined;

  constructor(stage: Stage, minScore: number, onPrediction: () => void) {
    this.#stage = stage;
    this.#minScore = minScore;
    this.#onPrediction = onPrediction;
  }

  /** Sets the model. The picture on the stage is recognised again with it. Resolves when it has a result, or has failed. */
  async use(model: Promise<Model<"detection">>): Promise<void> {
    this.#model = model;
    if (this.#current) return this.recognise(this.#current);
    try {
      await model;
      say("Ready.");
    } catch {
      // The code that loads the model shows it.
    }
  }

  /** Objects with a lower score are not shown. */
  setMinScore(minScore: number): void {
    this.#minScore = minScore;
    if (this.#found) this.#list(this.#found);
  }

  /** Shows the picture and the objects in it, or an error. A newer call replaces a running one. */
  async recognise(picture: Picture): Promise<void> {
    this.#running.abort();
    this.#running = new AbortController();
    const { signal } = this.#running;
    hideFailure();
    const isShown = await this.#stage.showPhoto(picture.content, picture.name);
    if (signal.aborted) return;
    this.#clear();
    this.#current = isShown ? picture : undefined;
    if (!isShown) this.#stage.clear();
    if (!this.#model) return;
    try {
      const model = await this.#model;
      if (signal.aborted) return;
      say(`Analysing ${picture.name}.`);
      // Also called for a file that the browser cannot show: the library's error says what is wrong with it.
      const prediction = await model.predict(picture.content, { signal, minScore: ASKED_SCORE });
      if (signal.aborted) return;
      this.#show(prediction);
      say(`${picture.name}: ${inWords(this.#wanted(prediction.value))}, in ${duration(prediction.timings.totalMs)}.`);
    } catch (error) {
      // A newer picture, the camera or another backend replaced it.
      if (signal.aborted) return;
      this.#clear("No result.");
      say(`No result for ${picture.name}.`);
      showFailure(error);
    }
  }

  /** Recognises one frame of a video and shows the result if `isWanted()` still holds then. Rejects on failure. */
  async recogniseFrame(video: HTMLVideoElement, isWanted: () => boolean): Promise<void> {
    if (!this.#model) throw new Error("No model is loaded yet.");
    const prediction = await (await this.#model).predict(video, { minScore: ASKED_SCORE });
    if (isWanted()) this.#show(prediction);
  }

  /** Drops the current picture, so that the camera can use the stage. */
  forget(): void {
    this.#running.abort();
    this.#current = undefined;
    this.#clear();
  }

  /** Drops the shown result, so that nobody takes it for the next picture's. */
  #clear(text = "No result yet."): void {
    this.#found = undefined;
    this.#stage.mark([]);
    listNothing(text);
    noTimings();
  }

  #show({ value, timings, backend }: Prediction<"detection">): void {
    this.#found = value;
    this.#list(value);
    showTimings(timings, backend);
    this.#onPrediction();
  }

  #wanted(found: Detection[]): Detection[] {
    return found.filter(({ score }) => score >= this.#minScore);
  }

  #list(found: Detection[]): void {
    const wanted = this.#wanted(found);
    this.#stage.mark(wanted);
    listFound(wanted, found.length - wanted.length);
  }
}
