// Recognises the objects in one picture after the other with the current model, and shows the results.
import type { Model, Prediction } from "insitu";
import { hideFailure, showFailure } from "./failures.js";
import { inWords, listFound, listWaiting } from "./results.js";
import type { Stage } from "./stage.js";
import { say } from "./status.js";
import { noTimings, showTimings } from "./timings.js";
import { duration } from "./words.js";

export interface Picture {
  name: string;
  content: Blob;
}

export class Recogniser {
  readonly #stage: Stage;
  readonly #onPrediction: () => void;
  #model: Promise<Model<"detection">> | undefined;
  #current: Picture | undefined;
  #running = new AbortController();

  constructor(stage: Stage, onPrediction: () => void) {
    this.#stage = stage;
    this.#onPrediction = onPrediction;
  }

  /** Sets the model. The picture on the stage is recognised again with it. */
  use(model: Promise<Model<"detection">>): void {
    this.#model = model;
    if (this.#current) return void this.recognise(this.#current);
    // A failure is shown by the code that loads the model.
    model.then(
      () => say("Ready."),
      () => undefined,
    );
  }

  /** Shows the picture and the objects in it, or an error. A newer call replaces a running one. */
  async recognise(picture: Picture): Promise<void> {
    this.#running.abort();
    this.#running = new AbortController();
    const { signal } = this.#running;
    hideFailure();
    const isShown = await this.#stage.showPhoto(picture.content, picture.name);
    if (signal.aborted) return;
    if (isShown) {
      this.#current = picture;
      listWaiting();
      noTimings();
    }
    if (!this.#model) return;
    try {
      const model = await this.#model;
      if (signal.aborted) return;
      say(`Analysing ${picture.name}.`);
      // Also called for a file that the browser cannot show: the library's error says what is wrong with it.
      const prediction = await model.predict(picture.content, { signal });
      if (signal.aborted) return;
      this.#show(prediction);
      say(`${picture.name}: ${inWords(prediction.value)}, in ${duration(prediction.timings.totalMs)}.`);
    } catch (error) {
      // A newer picture, the camera or another backend replaced it.
      if (signal.aborted) return;
      say(`No result for ${picture.name}.`);
      showFailure(error);
    }
  }

  /** Recognises one frame of a video and shows the result if `isWanted()` still holds then. Rejects on failure. */
  async recogniseFrame(video: HTMLVideoElement, isWanted: () => boolean): Promise<void> {
    if (!this.#model) throw new Error("No model is loaded yet.");
    const prediction = await (await this.#model).predict(video);
    if (isWanted()) this.#show(prediction);
  }

  /** Drops the current picture, so that the camera can use the stage. */
  forget(): void {
    this.#running.abort();
    this.#current = undefined;
    listWaiting();
    noTimings();
  }

  #show(prediction: Prediction<"detection">): void {
    this.#stage.mark(prediction.value);
    listFound(prediction.value);
    showTimings(prediction.timings, prediction.backend);
    this.#onPrediction();
  }
}
