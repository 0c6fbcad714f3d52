// The status line, which screen readers announce, and the progress of loading.
import type { LoadProgress } from "insitu";
import { byId } from "./dom.js";
import { progressInWords } from "./words.js";

/** Replaces the line. Call it for events that matter to the visitor, not for each frame of the camera. */
export function say(text: string): void {
  const line = byId("status", HTMLElement);
  if (line.textContent !== text) line.textContent = text;
}

/** Shows phase and bytes of a load. It is not announced, since it changes many times a second. */
export function showProgress(model: string, progress: LoadProgress): void {
  const words = progressInWords(model, progress);
  const bar = byId("progress", HTMLProgressElement);
  bar.setAttribute("aria-valuetext", words);
  if (progress.phase === "download" && progress.total > 0) bar.value = progress.loaded / progress.total;
  // Without a value the bar is indeterminate: the other phases have no byte count.
  else bar.removeAttribute("value");
  byId("loading-words", HTMLElement).textContent = words;
  byId("loading", HTMLElement).hidden = false;
}

export function hideProgress(): void {
  byId("loading", HTMLElement).hidden = true;
}
