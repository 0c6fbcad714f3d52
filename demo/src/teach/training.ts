// The section "Accuracy": starts trainings and shows their progress and result.
import type { PersonalModel, RetrainEvent } from "insitu";
import { byId } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { duration } from "../words.js";
import { growthChart } from "./growth.js";
import { Refreshes } from "./refreshes.js";
import { showVersions } from "./version-table.js";

export interface Training {
  show(): Promise<void>;
  /** Shows the state of an automatic training. */
  showRetrain(event: RetrainEvent): void;
}

const OUTCOMES: Record<RetrainEvent["outcome"], string> = {
  waiting: "Training starts as soon as the page is idle.",
  training: "Training.",
  trained: "Trained automatically; the new version is in use.",
  not_better: "Trained automatically, but the new version is not better. The previous version stays in use.",
  failed: "The training failed. The previous version stays in use.",
};

/** `onChange` is called after every training and every change of the version in use. */
export function connectTraining(model: () => PersonalModel, onChange: () => void): Training {
  const train = byId("train", HTMLButtonElement);
  const stop = byId("stop", HTMLButtonElement);
  const bar = byId("training-bar", HTMLProgressElement);
  const line = byId("training", HTMLElement);
  const refreshes = new Refreshes();
  let running: AbortController | undefined;

  train.addEventListener("click", async () => {
    running = new AbortController();
    stop.hidden = false;
    bar.hidden = false;
    line.textContent = "Training.";
    hideFailure();
    line.textContent = await trainedText(model(), running.signal, bar);
    // Hiding the focused button would lose the focus.
    if (document.activeElement === stop) train.focus();
    stop.hidden = true;
    bar.hidden = true;
    onChange();
  });
  stop.addEventListener("click", () => running?.abort());

  const activate = async (version: number) => {
    await model().revert(version);
    line.textContent = `Version ${version} is in use.`;
    onChange();
  };

  return {
    async show() {
      const mayShow = refreshes.start();
      const [versions, { version: active }] = await Promise.all([model().versions(), model().state()]);
      if (!mayShow()) return;
      showVersions(versions, active, activate);
      byId("growth", HTMLElement).replaceChildren(growthChart(versions, active));
    },
    showRetrain({ outcome, why }) {
      line.textContent = outcome === "waiting" ? `${why} ${OUTCOMES.waiting}` : OUTCOMES[outcome];
      bar.hidden = outcome !== "training";
      bar.removeAttribute("value");
      if (outcome !== "waiting" && outcome !== "training") onChange();
    },
  };
}

/** Trains, and resolves to a sentence about the result; failures are shown on the page. */
async function trainedText(model: PersonalModel, signal: AbortSignal, bar: HTMLProgressElement): Promise<string> {
  try {
    const { version, activated, durationMs } = await model.train({
      signal,
      onProgress({ phase, done, total }) {
        if (phase === "train" && total > 0) bar.value = done / total;
        else bar.removeAttribute("value");
      },
    });
    const result = activated ? "It is in use" : "It is not better, so the previous version stays in use";
    return `Version ${version} took ${duration(durationMs)}. ${result}.`;
  } catch (error) {
    if (signal.aborted) return "Stopped; nothing changed.";
    showFailure(error);
    return "";
  }
}
