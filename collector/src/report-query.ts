// Turns the parameters of `GET /v1/report` into a query: defaults, and the limits that depend on several parameters.
import { HttpError } from "./errors.js";
import type { ReportQuery } from "./report.js";
import { MIN_STEP_MS, type ReportParameters } from "./schemas.js";

const HOUR_MS = 3_600_000;
const STEPS = 60;
// A plot has no more pixels, and a response of megabytes helps nobody.
const MAX_STEPS = 1_000;

/** `now` in epoch milliseconds. Throws `HttpError` 400 that names the parameter. */
export function toReportQuery(parameters: ReportParameters, now: number): ReportQuery {
  const { to = now, model, version, backend } = parameters;
  const { from = to - HOUR_MS } = parameters;
  if (from >= to) throw new HttpError(400, `The query parameter "from" (${from}) must be less than "to" (${to}).`);
  const { step = Math.max(MIN_STEP_MS, Math.ceil((to - from) / STEPS)) } = parameters;
  if ((to - from) / step > MAX_STEPS) {
    const minStep = Math.ceil((to - from) / MAX_STEPS);
    throw new HttpError(
      400,
      `The query parameter "step" must be at least ${minStep} ms for this range: at most ${MAX_STEPS} steps.`,
    );
  }
  return {
    from,
    to,
    step,
    ...(model && { model }),
    ...(version && { version }),
    ...(backend && { backend }),
  };
}
