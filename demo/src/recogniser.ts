// Recognises one picture after the other with the current model and shows what it found.
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

export interface Recogniser {
  /** From now on with this model; a picture that is shown is recognised again. */
  use(model: Promise<Model<"detection">>): void;
  /** Shows the picture and what is in it; failures are told on the page. The newest call wins. */
  recognise(picture: Picture): Promise<void>;
  /** One frame of a running video, shown if it is still `wanted` when the answer comes; rejects when it cannot. */
  look(video: HTMLVideoElement, wanted: () => boolean): Promise<void>;
  /** Gives up the picture on show, so that the camera can take the stage. */
  forget(): void;
}

export function createRecogniser(stage: Stage, onPrediction: () => void): Recogniser {
  let model: Promise<Model<"detection">> | undefined;
  let current: Picture | undefined;
  let running = new AbortController();

  const show = (prediction: Prediction<"detection">) => {
    stage.mark(prediction.value);
    listFound(prediction.value);
    showTimings(prediction.timings, prediction.backend);
    onPrediction();
  };

  const recognise = async (picture: Picture) => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    hideFailure();
    const shown = await stage.showPhoto(picture.content, picture.name);
    if (signal.aborted) return;
    if (shown) {
      current = picture;
      listWaiting();
      noTimings();
    }
    if (!model) return;
    try {
      const ready = await model;
      if (signal.aborted) return;
      say(`Looking at ${picture.name}.`);
      // A file that could not be shown is asked about all the same: the library says best what is wrong with it.
      const prediction = await ready.predict(picture.content, { signal });
      if (signal.aborted) return;
      show(prediction);
      say(`${picture.name}: ${inWords(prediction.value)}, in ${duration(prediction.timings.totalMs)}.`);
    } catch (error) {
      // A newer picture, the camera or another backend took its place.
      if (signal.aborted) return;
      say(`No result for ${picture.name}.`);
      showFailure(error);
    }
  };

  return {
    recognise,
    use(next) {
      model = next;
      if (current) return void recognise(current);
      // Its failure is told by whoever loads it.
      next.then(
        () => say("Ready."),
        () => undefined,
      );
    },
    async look(video, wanted) {
      if (!model) throw new Error("No model is loaded yet.");
      const prediction = await (await model).predict(video);
      if (wanted()) show(prediction);
    },
    forget() {
      running.abort();
      current = undefined;
      listWaiting();
      noTimings();
    },
  };
}
