// Asks the collector for a report; every outcome is a value, with what the reader can do about it.
import type { Report } from "../src/report-types.js";
import { type View, windowOf } from "./view.js";

export type ReportResult =
  | { kind: "report"; report: Report }
  | { kind: "token"; message: string }
  | { kind: "failed"; message: string; advice: string };

// Longer than any query takes on a healthy collector.
const PATIENCE_MS = 15_000;

export async function fetchReport(view: View, token: string | null, stop: AbortSignal): Promise<ReportResult> {
  const { from, to, step } = windowOf(view, Date.now());
  const url = new URL("../v1/report", document.baseURI);
  url.search = new URLSearchParams({ from: String(from), to: String(to), step: String(step) }).toString();
  for (const name of ["model", "version", "backend"] as const) if (view[name]) url.searchParams.set(name, view[name]);
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      signal: AbortSignal.any([stop, AbortSignal.timeout(PATIENCE_MS)]),
      cache: "no-store",
    });
    body = await response.json().catch(() => null);
  } catch {
    return {
      kind: "failed",
      message: `The collector at ${location.host} does not respond.`,
      advice: "See whether it runs and whether this device is online.",
    };
  }
  if (response.status === 401)
    return { kind: "token", message: messageOf(body) ?? "The read token is missing or wrong." };
  if (response.ok && isReport(body)) return { kind: "report", report: body };
  return refusal(response.status, messageOf(body));
}

function refusal(status: number, reason: string | undefined): ReportResult {
  const message = `The collector responded with ${status}${reason ? `: ${reason}` : "."}`;
  const failed = (advice: string): ReportResult => ({ kind: "failed", message, advice });
  if (status === 429) return failed("Too many questions in a short time: close other dashboards.");
  if (status === 404) return failed("This collector is older than its dashboard: update it and start it again.");
  if (status < 400) return failed("That is no report: see what stands between this page and the collector.");
  if (status < 500) return failed("Choose another time range, or take the filters away.");
  return failed("The reason is in the collector's log.");
}

function messageOf(body: unknown): string | undefined {
  const message = (body as { message?: unknown } | null)?.message;
  return typeof message === "string" ? message : undefined;
}

function isReport(body: unknown): body is Report {
  const report = body as Partial<Report> | null;
  const lists = [report?.models, report?.latency, report?.throughput, report?.errors, report?.accuracy, report?.memory];
  return lists.every(Array.isArray) && typeof report?.telemetry === "object";
}
