// Decides in which order the allowed backends are tried, and why some are not tried at all.
import type { Backend, BackendReport, Refusal } from "../types.js";

export interface Choice {
  /** To be tried in this order until one opens the model. */
  order: Backend[];
  refused: Refusal[];
}

/**
 * Keeps the caller's order among the backends that are available. A software GPU is refused unless nothing else is left:
 * on SwiftShader tfjs's webgpu needs 100 to 270 times the time of wasm (3219 ms against 15 ms for `selfie`).
 */
export function choose(reports: BackendReport[]): Choice {
  const refused: Refusal[] = reports
    .filter((report) => !report.available)
    .map((report) => ({ backend: report.backend, reason: report.reason ?? "not available" }));
  const available = reports.filter((report) => report.available);
  const hardware = available.filter((report) => !report.software);
  const used = hardware.length > 0 ? hardware : available;
  for (const report of available) {
    if (used.includes(report)) continue;
    refused.push({
      backend: report.backend,
      reason: `${report.reason ?? "software adapter"}: computed on the processor, slower than ${used[0]?.backend}. Allow only "${report.backend}" to force it`,
    });
  }
  return { order: used.map((report) => report.backend), refused };
}
