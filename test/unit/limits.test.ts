// A call ends with its result, its deadline or its signal, whichever is first, and what it started is told.
import { expect, test } from "vitest";
import { limited } from "../../src/limits.js";

const never = () => new Promise<never>(() => undefined);

test("a result in time passes through, and its signal stays quiet", async () => {
  let inner: AbortSignal | undefined;
  const result = await limited({ timeout: 1000, what: "It" }, async (signal) => {
    inner = signal;
    return 7;
  });
  expect(result).toBe(7);
  expect(inner?.aborted).toBe(false);
});

test("a deadline rejects with timeout and aborts what was started", async () => {
  let inner: AbortSignal | undefined;
  const call = limited({ timeout: 5, what: "It" }, (signal) => {
    inner = signal;
    return never();
  });
  await expect(call).rejects.toMatchObject({ code: "timeout", data: { timeout: 5 } });
  expect(inner?.aborted).toBe(true);
});

test("a signal rejects with aborted and its reason, before and during", async () => {
  await expect(limited({ timeout: 1000, signal: AbortSignal.abort("why"), what: "It" }, never)).rejects.toMatchObject({
    code: "aborted",
    cause: "why",
  });
  const controller = new AbortController();
  const call = limited({ timeout: 1000, signal: controller.signal, what: "It" }, never);
  controller.abort("later");
  await expect(call).rejects.toMatchObject({ code: "aborted", cause: "later" });
});

test("no deadline at all is possible, one that is no number is refused", async () => {
  await expect(limited({ timeout: Number.POSITIVE_INFINITY, what: "It" }, async () => 1)).resolves.toBe(1);
  await expect(limited({ timeout: 1e12, what: "It" }, async () => 1)).resolves.toBe(1);
  await expect(limited({ timeout: Number.NaN, what: "It" }, never)).rejects.toMatchObject({ code: "input_invalid" });
});
