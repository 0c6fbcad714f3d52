// Says an error in words: what happened, what to do about it, and its code.
import { type InsituError, isInsituError } from "insitu";
import { byId, make } from "./dom.js";

const RELOAD = "Reload the page.";
const OTHER_PICTURE = "Choose another picture: JPEG, PNG, WebP, GIF or AVIF.";
const OTHER_BACKEND = "Choose another backend at the top of the page.";
const PUBLISHER = "Reloading will not help: whoever publishes this model has to fix it.";
const ROOM = "Free some space on this device; until then the model is downloaded on each visit.";

const ADVICE: Record<InsituError["code"], string> = {
  timeout: "Try once more; if it repeats, choose another backend.",
  aborted: "Nothing is broken; start it again.",
  disposed: RELOAD,
  disabled: RELOAD,
  consent_denied: "Allow learning on this page first.",
  overloaded: "Wait until the last pictures are done.",
  device_lost: OTHER_BACKEND,
  out_of_memory: "Close other tabs, or choose a smaller picture.",
  backend_unavailable: OTHER_BACKEND,
  worker_crashed: RELOAD,
  model_integrity: "Reload the page to download the model again.",
  model_signature: PUBLISHER,
  model_expired: PUBLISHER,
  model_rollback: PUBLISHER,
  model_format: PUBLISHER,
  model_too_large: PUBLISHER,
  input_invalid: OTHER_PICTURE,
  output_invalid: OTHER_BACKEND,
  network: "Check the connection, then reload the page.",
  http_4xx: "Check that the models were built (npm run models), then reload the page.",
  http_5xx: "The server has trouble; reload the page in a minute.",
  storage_quota: ROOM,
  storage_unavailable: "Leave private browsing, or allow this site to store data.",
  storage_corrupt: "Clear this site's data, then reload the page.",
  insecure_context: "Open this page over https, or on localhost.",
  csp_blocked: "The page's Content-Security-Policy must allow the worker and its wasm.",
  unknown: RELOAD,
};

/** What the browser says when it denies a camera. */
const CAMERA: Record<string, [what: string, advice: string]> = {
  NotAllowedError: ["The camera is not allowed.", "Allow it in the browser's site settings, then start it again."],
  NotFoundError: ["No camera was found.", "Connect one, then start it again."],
  NotReadableError: ["The camera does not answer.", "Close the other program that uses it, then start it again."],
};

export interface Failure {
  what: string;
  advice: string;
  code: string;
}

export function explain(error: unknown): Failure {
  if (isInsituError(error)) return { what: error.message, advice: ADVICE[error.code] ?? RELOAD, code: error.code };
  const name = error instanceof Error || error instanceof DOMException ? error.name : "Error";
  const camera = CAMERA[name];
  if (camera) return { what: camera[0], advice: camera[1], code: name };
  return { what: error instanceof Error ? error.message : String(error), advice: RELOAD, code: name };
}

const box = () => byId("failure", HTMLElement);

export function showFailure(error: unknown): void {
  const { what, advice, code } = explain(error);
  const close = make("button", "button", "Close");
  close.type = "button";
  close.addEventListener("click", hideFailure);
  const told = make("p", "", make("strong", "", "That did not work. "), what);
  const next = make("p", "", `What to do: ${advice} (`, make("code", "", code), ")");
  box().replaceChildren(told, next, close);
  box().hidden = false;
}

export function hideFailure(): void {
  box().hidden = true;
  box().replaceChildren();
}
