// Decides whether and when a failed request is tried again; all requests of a load share the waiting.
import { type InsituError, isInsituError } from "../../../shared/errors.js";
import type { Platform } from "../platform.js";

// A try and three more: with the delays below a dead host is given up in some two seconds.
const MAX_FAILURES = 4;
const FIRST_DELAY_MS = 250;
// A host that asks for more is not waited for: the error tells the caller how long.
const MAX_RETRY_AFTER_MS = 30_000;
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

/** A network that failed, or a host that says that it may work later. A request that received nothing for 15 s is not tried again. */
function isTransient(error: InsituError): boolean {
  if (error.code === "network") return true;
  return (error.code === "http_4xx" || error.code === "http_5xx") && TRANSIENT_STATUS.has(Number(error.data.status));
}

export interface Backoff {
  /**
   * Runs `attempt` until it succeeds. It is called again after a transient failure, or one that `also` names, at most four
   * times without progress.
   */
  retry<T>(attempt: (progressed: () => void) => Promise<T>, also?: (error: InsituError) => boolean): Promise<T>;
}

/** Full jitter, doubling from 250 ms to 1 s ("Exponential Backoff And Jitter", AWS 2015); `Retry-After` wins. */
export function createBackoff(ports: Platform, signal: AbortSignal): Backoff {
  // Shared: when a host asks one request to wait, the others must not go on asking it.
  let notBefore = 0;
  const wait = async () => {
    for (let rest = notBefore - ports.elapsed(); rest > 0; rest = notBefore - ports.elapsed())
      await ports.sleep(rest, signal);
  };
  return {
    async retry(attempt, also = () => false) {
      let failures = 0;
      for (;;) {
        await wait();
        try {
          return await attempt(() => {
            failures = 0;
          });
        } catch (error) {
          failures += 1;
          if (!isInsituError(error) || !(isTransient(error) || also(error))) throw error;
          if (signal.aborted || failures >= MAX_FAILURES || !ports.online()) throw error;
          const retryAfterMs = error.data.retryAfterMs as number | undefined;
          if (retryAfterMs !== undefined && retryAfterMs > MAX_RETRY_AFTER_MS) throw error;
          const ceiling = FIRST_DELAY_MS * 2 ** (failures - 1);
          notBefore = Math.max(notBefore, ports.elapsed() + (retryAfterMs ?? ports.random() * ceiling));
        }
      }
    },
  };
}
