// Decides on which target a model starts, which is measured next, and which is kept; pure functions.

import type { BackendMeasurement, BackendRefusal, BackendReport } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";
import type { Target } from "../session/engine.js";

export interface StartCandidates {
  /** To be tried in this order until one opens the model. */
  order: Target[];
  refused: BackendRefusal[];
}

/**
 * The caller's order among the backends that are available, wasm on one thread. A software GPU is refused unless nothing else is
 * left: on SwiftShader tfjs's webgpu needs 100 to 270 times the time of wasm (3219 ms against 15 ms for `selfie`), and one run
 * of it cannot be stopped.
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

// Plain JavaScript was 10 to 30 times slower than wasm on every network of more than a few layers; it wins by the calls into
// wasm that it saves, and one slow run of it holds up everybody.
const CPU_WORTH_MS = 1;
// The noise of a median of a few runs on a busy machine.
const NOISE = 1.05;

/** What to measure next, given what was; undefined when nothing more could win. */
export function nextCandidate(
  reports: BackendReport[],
  measured: BackendMeasurement[],
  failed: Target[] = [],
): Target | undefined {
  const { order } = startCandidates(reports);
  const known = (target: Target) => [...measured, ...failed].some((other) => isSame(other, target));
  const best = fastest(measured);
  for (const { backend } of order) {
    if (backend === "wasm") {
      const most = reports.find((report) => report.backend === backend)?.threads ?? 1;
      const threads = nextThreads(most, measured, known);
      if (threads !== undefined) return { backend, threads };
    } else if (!known({ backend }) && (backend !== "cpu" || !best || best.p50Ms < CPU_WORTH_MS)) {
      return { backend };
    }
  }
  return undefined;
}

/** 1, 2, 4, … up to the most, as long as more threads help: one too many is 3 to 5 times slower. */
function nextThreads(
  most: number,
  measured: BackendMeasurement[],
  known: (target: Target) => boolean,
): number | undefined {
  const steps: number[] = [];
  for (let threads = 1; threads < most; threads *= 2) steps.push(threads);
  steps.push(most);
  let before = Number.POSITIVE_INFINITY;
  for (const threads of steps) {
    const target = { backend: "wasm" as const, threads };
    const found = measured.find((other) => isSame(other, target));
    if (!found) return known(target) ? undefined : threads;
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

/** Why each allowed backend other than the one that is used is not. */
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
