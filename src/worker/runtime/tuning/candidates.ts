// Decides on which target a model starts, and states why the others are not used; pure functions.
import type { BackendMeasurement, BackendRefusal, BackendReport } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";
import type { Target } from "../session/engine.js";

export interface StartCandidates {
  /** Targets to try in this order until one opens the model. */
  order: Target[];
  refused: BackendRefusal[];
}

/**
 * The available backends in the caller's order, wasm on one thread. A software GPU is refused unless it is the only backend: on
 * SwiftShader tfjs's webgpu takes 100 to 270 times as long as wasm (3219 ms against 15 ms for `selfie`), and a run cannot be stopped.
 */
export function startCandidates(reports: BackendReport[]): StartCandidates {
  const refused: BackendRefusal[] = reports
    .filter((report) => !report.available)
    .map(({ backend, reason }) => ({ backend, reason: reason ?? "not available" }));
  const available = reports.filter((report) => report.available);
  const hardware = available.filter((report) => !report.software);
  const used = hardware.length > 0 ? hardware : available;
  for (const { backend, reason = "software adapter" } of available.filter((report) => !used.includes(report))) {
    const than = used[0]?.backend;
    refused.push({
      backend,
      reason: `${reason}: computed on the processor, slower than ${than}. Allow only "${backend}" to force it`,
    });
  }
  return { order: used.map(({ backend }) => (backend === "wasm" ? { backend, threads: 1 } : { backend })), refused };
}

export function fastest(measured: BackendMeasurement[]): BackendMeasurement | undefined {
  return measured.reduce<BackendMeasurement | undefined>(
    (best, one) => (best && best.p50Ms <= one.p50Ms ? best : one),
    undefined,
  );
}

export function isSame(a: Target, b: Target): boolean {
  return a.backend === b.backend && (a.threads ?? 1) === (b.threads ?? 1);
}

/** The reason why each allowed backend other than the one in use is not used. */
export function refusals(
  allowed: Backend[],
  used: BackendMeasurement,
  measured: BackendMeasurement[],
  refused: BackendRefusal[],
): BackendRefusal[] {
  const others = allowed.filter((backend) => backend !== used.backend);
  return others.map((backend) => {
    const known = refused.find((refusal) => refusal.backend === backend);
    if (known) return known;
    const best = fastest(measured.filter((one) => one.backend === backend));
    const figure = (ms: number) => `${Number(ms.toPrecision(3))} ms`;
    if (best) return { backend, reason: `slower: ${figure(best.p50Ms)}, ${used.backend} takes ${figure(used.p50Ms)}` };
    return { backend, reason: `not measured: ${used.backend} takes ${figure(used.p50Ms)}, which it would not reach` };
  });
}
