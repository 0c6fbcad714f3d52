// Shows an error: what happened, what the visitor can do, and the error code.
import { type InsituError, isInsituError } from "insitu";
import { byId, make } from "./dom.js";

const RELOAD = "Reload the page.";
const OTHER_PICTURE = "Choose another picture: JPEG, PNG, WebP, GIF or AVIF.";
const OTHER_BACKEND = "Choose another backend at the top of the page.";
const PUBLISHER = "Reloading does not help: the publisher of the model must correct it.";
const FREE_SPACE = "Free some space on this device. Until then the model is downloaded on every visit.";

const ADVICE: Record<InsituError["code"], string> = {
  timeout: "Try again. If it happens again, choose another backend.",
  aborted: "Start it again.",
  disposed: "The page closed the model. Reload the page.",
  disabled: "This page does not use the feature. Nothing can be done here.",
  consent_denied: "Allow this page to learn first.",
  overloaded: "Wait until the previous pictures are done.",
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
  http_5xx: "The server has a problem. Reload the page in a minute.",
  storage_quota: FREE_SPACE,
  storage_unavailable: "Leave private browsing, or allow this site to store data.",
  storage_corrupt: "Clear this site's data, then reload the page.",
  insecure_context: "Open this page by https or on localhost.",
  csp_blocked: "The page's Content-Security-Policy must allow the worker and WebAssembly.",
  unknown: RELOAD,
};

/** The browser's error names when it cannot open a camera. */
const CAMERA: Record<string, [what: string, advice: string]> = {
  NotAllowedError: ["The page may not use the camera.", "Allow it in the browser's site settings, then try again."],
  NotFoundError: ["No camera was found.", "Connect a camera, then try again."],
  NotReadableError: ["The camera cannot be read.", "Close other programs that use it, then try again."],
};

export interface Failure {
  what: string;
  advice: string;
  code: string;
}

type Advice = Partial<Record<InsituError["code"], string>>;

function explain(error: unknown, own: Advice): Failure {
  if (isInsituError(error))
    return { what: error.message, advice: own[error.code] ?? ADVICE[error.code] ?? RELOAD, code: error.code };
  const name = error instanceof Error || error instanceof DOMException ? error.name : "Error";
  const camera = CAMERA[name];
  if (camera) return { what: camera[0], advice: camera[1], code: name };
  return { what: error instanceof Error ? error.message : String(error), advice: RELOAD, code: name };
}

const box = () => byId("failure", HTMLElement);

/** `own` replaces the advice where the page asked for something else than a picture. */
export function showFailure(error: unknown, own: Advice = {}): void {
  const { what, advice, code } = explain(error, own);
  const close = make("button", "button", "Close");
  close.type = "button";
  close.addEventListener("click", hideFailure);
  const description = make("p", "", make("strong", "", "Something went wrong. "), what);
  const next = make("p", "", `What to do: ${advice} (`, make("code", "", code), ")");
  box().replaceChildren(description, next, close);
  box().hidden = false;
}

export function hideFailure(): void {
  box().hidden = true;
  box().replaceChildren();
}
