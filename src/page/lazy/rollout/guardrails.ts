// The limits at which a page leaves a version by itself: failures in a row, slow predictions, crashes, a failed self-test.

import { type ErrorCode, isInsituError } from "../../../shared/errors.js";
import type { HostPrediction } from "../../../shared/protocol.js";
import type { ChannelGuardrails } from "../../../shared/types/rollout.js";
import type { Breach } from "./types.js";

/** What a version may cause. The codes of the caller's own mistakes and wishes, and of inputs that could not be fetched, are not among them. */
const COUNTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "output_invalid",
  "timeout",
  "worker_crashed",
  "device_lost",
  "out_of_memory",
  "backend_unavailable",
  "unknown",
]);

const DEFAULTS = { failures: 5, latencyWindow: 50, crashes: 2 } as const;

/** Time of the work of one prediction, without the waits for others: what two versions are compared by. */
export function workOf({ timings, items = 1 }: Pick<HostPrediction, "timings" | "items">): number {
  const { preprocessMs, executeMs, readbackMs, postprocessMs } = timings;
  return preprocessMs + (executeMs + readbackMs) / items + postprocessMs;
}

/** Watches one version. Reports the first breach only: what still runs after it says nothing new. */
export class Guardrails {
  readonly #failures: number;
  readonly #maxLatency: number;
  readonly #latencies: Float64Array;
  #latencyCount = 0;
  /** How many of the window are over the limit: the median is over it where more than half of them are. */
  #slow = 0;
  #failed: number;
  /** When the last failure that counted was known. */
  #failedAt = Number.NEGATIVE_INFINITY;
  #lastCode: ErrorCode | undefined;
  #isBroken = false;

  /** @param failed - Predictions in a row that failed at the visits before. */
  constructor(limits: ChannelGuardrails = {}, failed = 0) {
    this.#failed = failed;
    this.#failures = limits.failures ?? DEFAULTS.failures;
    this.#maxLatency = limits.maxLatency ?? Number.POSITIVE_INFINITY;
    this.#latencies = new Float64Array(limits.latencyWindow ?? DEFAULTS.latencyWindow);
  }

  /** Whether an error is one that a version may cause. */
  counts(code: ErrorCode): boolean {
    return COUNTED.has(code);
  }

  /** @param latencyMs - Time of the prediction's own work, without the wait for others; undefined where it says nothing. */
  predicted(latencyMs: number | undefined): Breach | undefined {
    this.#failed = 0;
    if (latencyMs === undefined || this.#maxLatency === Number.POSITIVE_INFINITY) return undefined;
    const size = this.#latencies.length;
    const at = this.#latencyCount % size;
    // The place of the value that leaves the window.
    if (this.#latencyCount >= size && (this.#latencies[at] as number) > this.#maxLatency) this.#slow -= 1;
    if (latencyMs > this.#maxLatency) this.#slow += 1;
    this.#latencies[at] = latencyMs;
    this.#latencyCount += 1;
    if (this.#latencyCount < size || this.#slow * 2 <= size) return undefined;
    const median = Float64Array.from(this.#latencies).sort()[(size - 1) >> 1] as number;
    const detail = `the median of the last ${size} predictions is ${median.toFixed(1)} ms, over the limit of ${this.#maxLatency} ms`;
    return this.#report({ reason: "latency", detail, count: median, limit: this.#maxLatency });
  }

  /**
   * Predictions that ran at the same time fail of one cause, such as a device that was lost or a computer that slept: of those only the first one
   * counts. Errors of the caller's making do not count, and do not end a row.
   * @param startedAt - When the prediction was asked for; milliseconds of the clock of `now`.
   */
  failed(code: ErrorCode, startedAt?: number, now: number = performance.now()): Breach | undefined {
    if (!this.counts(code) || (startedAt ?? now) < this.#failedAt) return undefined;
    this.#failedAt = now;
    this.#failed += 1;
    this.#lastCode = code;
    return this.#failed < this.#failures ? undefined : this.#report(this.row());
  }

  /** The failures in a row until now, as a breach of them is reported. */
  row(): Breach {
    const count = this.#failed;
    const detail = `${count} predictions in a row failed, the last one with ${this.#lastCode}`;
    return { reason: "failures", detail, count, limit: this.#failures };
  }

  #report(breach: Breach): Breach | undefined {
    if (this.#isBroken) return undefined;
    this.#isBroken = true;
    return breach;
  }
}

export const crashLimit = (limits: ChannelGuardrails = {}): number => limits.crashes ?? DEFAULTS.crashes;

interface Refusal {
  reason: string;
  isWrong?: boolean;
  isPassing?: boolean;
}

/**
 * The breach of a version that could not be opened: the page crashed too often while it ran, or its outputs are not those that its package
 * promises. Other failures of a load may be of the network, the device or the moment.
 */
export function loadBreach(error: unknown, limits?: ChannelGuardrails): Breach | undefined {
  if (!isInsituError(error) || error.code !== "backend_unavailable") return undefined;
  const { crashes: count, refused } = error.data;
  if (typeof count === "number") {
    const detail = `the page crashed ${count} times within 24 hours while it ran`;
    return { reason: "crashes", detail, count, limit: crashLimit(limits) };
  }
  const refusals = Array.isArray(refused) ? (refused as Refusal[]) : [];
  const wrong = refusals.filter(({ isWrong }) => isWrong);
  // Where another backend only could not be reached or had no memory, it may be the one that computes what is right.
  if (!wrong[0] || refusals.some(({ isPassing }) => isPassing)) return undefined;
  return { reason: "self_test", detail: wrong[0].reason, count: wrong.length, limit: 0 };
}

/**
 * Whether what was measured once is a breach under the limits of now: a channel whose limit was too tight takes a version out of its block
 * by a wider one.
 */
export function isStillBroken(
  { reason, count }: Pick<Breach, "reason" | "count">,
  limits: ChannelGuardrails = {},
): boolean {
  switch (reason) {
    case "failures":
      return count >= (limits.failures ?? DEFAULTS.failures);
    case "crashes":
      return count >= crashLimit(limits);
    case "latency":
      return count > (limits.maxLatency ?? Number.POSITIVE_INFINITY);
    case "self_test":
      return true;
    default:
      return reason satisfies never;
  }
}
