// Measures a session: a few runs on one item, within a time budget.
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Session } from "../session/engine.js";

const RUNS = 7;
const MIN_RUNS = 3;
const BUDGET_MS = 400;
// One run is enough to know that a session is this slow.
const SLOW_MS = 1_000;

/** The median of up to seven runs in milliseconds, read-back included. The session must have run before. */
export async function benchmarkSession(session: Session, feeds: Record<string, TensorData>): Promise<number> {
  const times: number[] = [];
  const started = performance.now();
  for (;;) {
    const { executeMs, readbackMs } = await session.run(feeds);
    times.push(executeMs + readbackMs);
    const spent = performance.now() - started;
    const last = times.at(-1) as number;
    if (times.length === RUNS || last > SLOW_MS || (times.length >= MIN_RUNS && spent > BUDGET_MS))
      return median(times);
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
