// Says what is going on now, in one line that screen readers announce, and how far a load is.
import type { LoadProgress } from "insitu";
import { byId } from "./dom.js";
import { progressInWords } from "./words.js";

/** Replaces the line. Call it for what a person waits for or did, not for each frame of the camera. */
export function say(text: string): void {
  const line = byId("status", HTMLElement);
  if (line.textContent !== text) line.textContent = text;
}

/** Bytes and phase of a model's load; not announced, for it changes many times a second. */
export function showProgress(model: string, progress: LoadProgress): void {
  const words = progressInWords(model, progress);
  const bar = byId("progress", HTMLProgressElement);
  bar.setAttribute("aria-valuetext", words);
  if (progress.phase === "download" && progress.total > 0) bar.value = progress.loaded / progress.total;
  // Without a value the bar pulses: these phases have no bytes to count.
  else bar.removeAttribute("value");
  byId("loading-words", HTMLElement).textContent = words;
  byId("loading", HTMLElement).hidden = false;
}

export function hideProgress(): void {
  byId("loading", HTMLElement).hidden = true;
}
