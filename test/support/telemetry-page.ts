// Helpers for tests of telemetry: predict with a client that reports to a receiver, and read its counts.
import { expect } from "vitest";
import type { TelemetryOptions } from "../../src/index.js";
import type { PageRunner } from "./any-browser.js";
import type { Receiver } from "./receiver.js";

let stores = 0;

/** A client and the model of digits, which report to the receiver. Returns the name of the client's storage. */
export async function open(
  on: PageRunner,
  receiver: Receiver,
  options: Partial<TelemetryOptions> = {},
  store = `t${++stores}`,
): Promise<string> {
  await on.evaluate(
    async ([telemetry, name]) => {
      window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name }, telemetry });
      window.model = await window.client.load("/models/digits/", { task: "classification" });
    },
    [{ endpoint: receiver.url, sampling: 1, flushInterval: 300, ...options }, store] as const,
  );
  return store;
}

export const predict = (on: PageRunner, times: number) =>
  on.evaluate(async (n) => {
    for (let i = 0; i < n; i += 1) await window.model.predict(new Float32Array(784).fill(i / n));
  }, times);
export const flush = (on: PageRunner) => on.evaluate(() => window.client.telemetry.flush());
export const stats = (on: PageRunner) => on.evaluate(() => window.client.telemetry.stats());

/** Waits until nothing is pending; returns the counts then. */
export async function settled(on: PageRunner): ReturnType<typeof stats> {
  // How much the store holds is recorded a moment after a load: the counts are those of the look that found nothing pending.
  let counts = await stats(on);
  const pending = async () => {
    await flush(on);
    counts = await stats(on);
    return counts.pending;
  };
  await expect.poll(pending, { timeout: 30_000 }).toBe(0);
  const dropped = Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
  expect(counts.sent + dropped).toBe(counts.recorded);
  return counts;
}

/** No request may be acknowledged under two ids: each prediction is in one. */
export function expectOnce(receiver: Receiver, predictions: number): void {
  expect(receiver.count("ml.inference.items")).toBe(predictions);
  expect(receiver.events("ml.prediction")).toBe(predictions);
}
