// Makes the progress of a load fit to be shown: only ever forward, and not more often than a screen can show it.
import type { LoadPhase, LoadProgress } from "../../shared/types/model.js";

const PHASES: LoadPhase[] = ["download", "verify", "store", "compile", "warmup"];
// Progress crosses to the page at most this often; each message costs both threads.
const STEP_MS = 50;

/**
 * Lets a phase's first and last step through, and of those between one every 50 ms. Bytes that turned out useless, a second
 * backend that reads the weights again, and an older version that is loaded instead move nothing back.
 */
export function throttleProgress(send: (progress: LoadProgress) => void): (progress: LoadProgress) => void {
  let phase = -1;
  let loaded = -1;
  let sentAt = 0;
  return (progress) => {
    const next = PHASES.indexOf(progress.phase);
    if (next < phase || (next === phase && progress.loaded <= loaded)) return;
    const now = performance.now();
    const edge = next > phase || progress.loaded >= progress.total;
    if (!edge && now - sentAt < STEP_MS) return;
    phase = next;
    loaded = progress.loaded;
    sentAt = now;
    send(progress);
  };
}
