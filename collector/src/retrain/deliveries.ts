// Delivers the webhooks of pending runs, each until it is accepted, refused, or tried often enough.
import type { ModelConfig, WebhookConfig } from "./config.js";
import type { Attempt, Run } from "./run.js";
import type { RunStore } from "./run-store.js";
import { type Sent, sendWebhook } from "./webhook.js";

export interface Deliveries {
  /** Looks for runs that are due, now and whenever the next one is. */
  wake(): void;
  /** Ends attempts in flight; their runs stay pending. */
  close(): Promise<void>;
}

// The clock may be set, so a long wait is looked at again.
const MAX_SLEEP_MS = 30_000;
// After the database failed to note an attempt.
const FAILED_MS = 5_000;

export function createDeliveries(
  store: RunStore,
  configOf: (model: string) => ModelConfig | undefined,
  onAttempt: (result: Attempt["result"]) => void,
  now: () => number,
): Deliveries {
  const ended = new AbortController();
  const inFlight = new Map<string, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  const deliver = async ({ id, model }: Run): Promise<void> => {
    const run = store.find(id);
    const config = configOf(model)?.webhook;
    if (!run || !config) return;
    const at = now();
    const sent = await sendWebhook(run, config, ended.signal);
    // It stays pending, as after a kill.
    if (ended.signal.aborted) return;
    onAttempt(sent.result);
    const { result, status, detail, durationMs } = sent;
    const attempt = { number: run.tries + 1, at, result, status, detail, durationMs };
    await store.change(id, (run) => after(run, sent, config, now()), attempt);
  };

  const wake = () => {
    clearTimeout(timer);
    if (ended.signal.aborted) return;
    const waiting = store
      .all()
      .filter(({ state, id, model }) => state === "pending" && !inFlight.has(id) && configOf(model) !== undefined);
    const time = now();
    for (const run of waiting.filter(({ nextAt }) => (nextAt ?? 0) <= time)) {
      const work = deliver(run).catch(async (error) => {
        console.error(`The webhook of the run ${run.id} could not be noted: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, FAILED_MS).unref());
      });
      inFlight.set(
        run.id,
        work.then(() => {
          inFlight.delete(run.id);
          wake();
        }),
      );
    }
    const next = Math.min(...waiting.map(({ nextAt }) => nextAt ?? 0).filter((at) => at > time));
    if (next < Number.POSITIVE_INFINITY) timer = setTimeout(wake, Math.min(next - time, MAX_SLEEP_MS)).unref();
  };

  return {
    wake,
    async close() {
      ended.abort();
      clearTimeout(timer);
      await Promise.race([
        Promise.all(inFlight.values()),
        new Promise((resolve) => setTimeout(resolve, FAILED_MS).unref()),
      ]);
    },
  };
}

/** How an attempt changes its run. What the receiver reported meanwhile stays. */
function after(run: Run, sent: Sent, config: WebhookConfig, now: number): Partial<Run> {
  const tries = run.tries + 1;
  if (run.state !== "pending") return { tries };
  if (sent.result === "ok") return { tries, state: "sent", changedAt: now, nextAt: null };
  const problem = `${sent.status === null ? "" : `HTTP ${sent.status} `}${sent.detail}`.trim();
  const dead = (detail: string) => ({ tries, state: "dead" as const, changedAt: now, nextAt: null, detail });
  if (sent.result === "refused") return dead(`The receiver refused the webhook: ${problem}`);
  if (tries >= config.attempts) return dead(`${tries} attempts failed, the last one with: ${problem}`);
  return { tries, nextAt: now + waitOf(tries, sent.after, config) };
}

/** Doubles with each attempt; half of it is random, so that many collectors do not come at once. */
function waitOf(tries: number, asked: number | undefined, { firstDelay, maxDelay }: WebhookConfig): number {
  if (asked !== undefined) return Math.min(asked, maxDelay);
  const longest = Math.min(maxDelay, firstDelay * 2 ** (tries - 1));
  return longest / 2 + (Math.random() * longest) / 2;
}
