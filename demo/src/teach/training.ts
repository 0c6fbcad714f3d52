// Trainings and what they made: progress, the growth of the accuracy, the versions and the way back.
import type { PersonalModel, PersonalVersion, RetrainEvent } from "insitu";
import { byId, make } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { duration, percent } from "../words.js";
import { growthChart } from "./growth.js";

export interface Training {
  show(): Promise<void>;
  /** A training started by itself, or ended. */
  fired(event: RetrainEvent): void;
}

const HEADS = { "nearest-mean": "nearest mean", softmax: "softmax layer" } as const;
const SAID: Record<RetrainEvent["outcome"], string> = {
  waiting: "It will train as soon as the page is idle.",
  training: "Training.",
  trained: "Trained by itself, and in use.",
  not_better: "Trained by itself, but not better: the version before stays.",
  failed: "The training did not work; what was in use stays.",
};

const COLUMNS = ["Version", "Head", "Right", "Pictures", "Why"];

/** On a narrow screen, where there is no heading row, the cell says its column itself. */
function named<K extends "td" | "th">(tag: K, column: string | undefined, text: string): HTMLElementTagNameMap[K] {
  const cell = make(tag, "", text);
  cell.dataset.label = column;
  return cell;
}

export function connectTraining(model: () => PersonalModel, onChange: () => void): Training {
  const train = byId("train", HTMLButtonElement);
  const stop = byId("stop", HTMLButtonElement);
  const bar = byId("training-bar", HTMLProgressElement);
  const line = byId("training", HTMLElement);
  let running: AbortController | undefined;

  train.addEventListener("click", async () => {
    running = new AbortController();
    stop.hidden = false;
    bar.hidden = false;
    line.textContent = "Training.";
    hideFailure();
    try {
      const {
        version,
        activated,
        durationMs: milliseconds,
      } = await model().train({
        signal: running.signal,
        onProgress({ phase, done, total }) {
          if (phase === "train" && total > 0) bar.value = done / total;
          else bar.removeAttribute("value");
        },
      });
      const used = activated ? "it is in use" : "it is not better, so the one before stays in use";
      line.textContent = `Version ${version} took ${duration(milliseconds)}; ${used}.`;
    } catch (error) {
      line.textContent = running.signal.aborted ? "Stopped; everything is as it was." : "";
      if (!running.signal.aborted) showFailure(error);
    } finally {
      // The focus must not fall off the page with the button.
      if (document.activeElement === stop) train.focus();
      stop.hidden = true;
      bar.hidden = true;
      onChange();
    }
  });
  stop.addEventListener("click", () => running?.abort());

  const row = (version: PersonalVersion, active: number): HTMLTableRowElement => {
    const { judged, head, counts, reason } = version;
    const judgement = judged[head];
    const [low, high] = judgement?.interval ?? [0, 1];
    const pictures = Object.values(counts).reduce((sum, { trained, heldOut }) => sum + trained + heldOut, 0);
    const right =
      judgement?.accuracy === undefined
        ? "not judged yet"
        : `${judgement.correct} of ${judgement.examples} (${percent(low)} to ${percent(high)})`;
    const number = named("th", COLUMNS[0], String(version.version));
    number.scope = "row";
    const cells = [HEADS[head], right, String(pictures), reason].map((text, index) =>
      named("td", COLUMNS[index + 1], text),
    );
    const use = make("td");
    if (version.version === active) use.append(make("strong", "", "in use"));
    else if (version.usable) use.append(useButton(version.version));
    else use.append("of another model");
    return make("tr", version.version === active ? "active" : "", number, ...cells, use);
  };

  const useButton = (version: number) => {
    const button = make("button", "button small", "Use");
    button.type = "button";
    button.setAttribute("aria-label", `Use version ${version}`);
    button.addEventListener("click", async () => {
      try {
        await model().revert(version);
        line.textContent = `Version ${version} is in use.`;
        onChange();
      } catch (error) {
        showFailure(error);
      }
    });
    return button;
  };

  return {
    async show() {
      const [versions, { version: active }] = await Promise.all([model().versions(), model().state()]);
      const rows = versions.toReversed().map((version) => row(version, active));
      const none = make("td", "", "None yet: each training makes one.");
      none.colSpan = 6;
      byId("versions", HTMLElement).replaceChildren(...(rows.length > 0 ? rows : [make("tr", "", none)]));
      byId("growth", HTMLElement).replaceChildren(growthChart(versions, active));
    },
    fired({ outcome, why }) {
      line.textContent = outcome === "waiting" ? `${why} ${SAID.waiting}` : SAID[outcome];
      bar.hidden = outcome !== "training";
      bar.removeAttribute("value");
      if (outcome !== "waiting" && outcome !== "training") onChange();
    },
  };
}
