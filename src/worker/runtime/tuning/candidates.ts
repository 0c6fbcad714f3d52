// Decides on which target a model starts and which is measured next, and states why the others are not used; pure functions.
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

// Plain JavaScript was 10 to 30 times slower than wasm on every network of more than a few layers. It is faster only where calls into
// wasm dominate, and one slow run of it delays all predictions.
const MAX_MS_TO_TRY_CPU = 1;
// The noise of a median of a few runs on a busy machine.
const NOISE = 1.05;

/** The target to measure next; undefined when no other target can be faster. */
export function nextCandidate(
  reports: BackendReport[],
  measured: BackendMeasurement[],
  failed: Target[] = [],
): Target | undefined {
  const { order } = startCandidates(reports);
  const isKnown = (target: Target) => [...measured, ...failed].some((other) => isSame(other, target));
  const best = fastest(measured);
  for (const { backend } of order) {
    if (backend === "wasm") {
      const maxThreads = reports.find((report) => report.backend === backend)?.threads ?? 1;
      const threads = nextThreads(maxThreads, measured, isKnown);
      if (threads !== undefined) return { backend, threads };
    } else if (!isKnown({ backend }) && (backend !== "cpu" || !best || best.p50Ms < MAX_MS_TO_TRY_CPU)) {
      return { backend };
    }
  }
  return undefined;
}

/** 1, 2, 4, … up to `maxThreads`, as long as more threads are faster: more threads than free cores are 3 to 5 times slower. */
function nextThreads(
  maxThreads: number,
  measured: BackendMeasurement[],
  isKnown: (target: Target) => boolean,
): number | undefined {
  const steps: number[] = [];
  for (let threads = 1; threads < maxThreads; threads *= 2) steps.push(threads);
  steps.push(maxThreads);
  let before = Number.POSITIVE_INFINITY;
  for (const threads of steps) {
    const target = { backend: "wasm" as const, threads };
    const found = measured.find((other) => isSame(other, target));
    if (!found) return isKnown(target) ? undefined : threads;
    if (found.p50Ms > before * NOISE) return undefined;
    before = found.p50Ms;
  }
  return undefined;
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
