// Decides which target is measured next; a pure function.
import type { BackendMeasurement, BackendReport } from "../../../shared/types/model.js";
import type { Target } from "../session/engine.js";
import { fastest, isSame, startCandidates } from "./candidates.js";

// Plain JavaScript was 10 to 30 times slower than wasm on every network of more than a few layers. It is faster only where calls into
// wasm dominate, and one slow run of it delays all predictions.
const MAX_MS_TO_TRY_CPU = 1;
// The noise of a median of a few runs on a busy machine.
const NOISE = 1.05;

/**
 * The target to measure next; undefined when no other target can be faster. `isPlanned` says that the model runs on a plan, which calls no
 * JavaScript for each kernel: cpu is slower then.
 */
export function nextCandidate(
  reports: BackendReport[],
  measured: BackendMeasurement[],
  failed: Target[] = [],
  isPlanned = false,
): Target | undefined {
  const { order } = startCandidates(reports);
  const isKnown = (target: Target) => [...measured, ...failed].some((other) => isSame(other, target));
  const best = fastest(measured);
  const mayBeat = ({ p50Ms }: BackendMeasurement) => !isPlanned && p50Ms < MAX_MS_TO_TRY_CPU;
  for (const { backend } of order) {
    if (backend === "wasm") {
      const maxThreads = reports.find((report) => report.backend === backend)?.threads ?? 1;
      const threads = nextThreads(maxThreads, measured, isKnown);
      if (threads !== undefined) return { backend, threads };
    } else if (!isKnown({ backend }) && (backend !== "cpu" || !best || mayBeat(best))) {
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
