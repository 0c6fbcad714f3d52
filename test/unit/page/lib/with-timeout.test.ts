// A call ends with its result, its deadline or its signal, whichever is first, and what it started is told.
import { afterEach, describe, expect, test, vi } from "vitest";
import { withTimeout } from "../../../../src/page/lib/with-timeout.js";

const never = () => new Promise<never>(() => undefined);

test("a result in time passes through, and its signal stays quiet", async () => {
  let inner: AbortSignal | undefined;
  const result = await withTimeout({ timeout: 1000, what: "It" }, async (signal) => {
    inner = signal;
    return 7;
  });
  expect(result).toBe(7);
  expect(inner?.aborted).toBe(false);
});

test("a deadline rejects with timeout and aborts what was started", async () => {
  let inner: AbortSignal | undefined;
  const call = withTimeout({ timeout: 5, what: "It" }, (signal) => {
    inner = signal;
    return never();
  });
  await expect(call).rejects.toMatchObject({ code: "timeout", data: { timeout: 5 } });
  expect(inner?.aborted).toBe(true);
});

test("a signal rejects with aborted and its reason, before and during", async () => {
  await expect(
    withTimeout({ timeout: 1000, signal: AbortSignal.abort("why"), what: "It" }, never),
  ).rejects.toMatchObject({
    code: "aborted",
    cause: "why",
  });
  const controller = new AbortController();
  const call = withTimeout({ timeout: 1000, signal: controller.signal, what: "It" }, never);
  controller.abort("later");
  await expect(call).rejects.toMatchObject({ code: "aborted", cause: "later" });
});

test("no deadline at all is possible, one that is no number is refused", async () => {
  await expect(withTimeout({ timeout: Number.POSITIVE_INFINITY, what: "It" }, async () => 1)).resolves.toBe(1);
  await expect(withTimeout({ timeout: 1e12, what: "It" }, async () => 1)).resolves.toBe(1);
  await expect(withTimeout({ timeout: Number.NaN, what: "It" }, never)).rejects.toMatchObject({
    code: "input_invalid",
  });
});

describe("a clock that jumps", () => {
  afterEach(() => void vi.useRealTimers());

  /** Timers run when the test says so; `sleep` moves the clock and no timer, as a laptop that was closed does. */
  const useClock = () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    return {
      sleep: (ms: number) => {
        now += ms;
      },
      async run(ms: number) {
        for (let left = ms; left > 0; left -= 500) {
          now += 500;
          await vi.advanceTimersByTimeAsync(500);
          await messages();
        }
      },
    };
  };
  const messages = () => new Promise<void>((resolve) => setImmediate(resolve));
  const outcome = (call: Promise<unknown>) => {
    const seen = { code: "open" };
    call.then(
      () => (seen.code = "done"),
      (error: { code: string }) => (seen.code = error.code),
    );
    return seen;
  };
  const HOUR = 3_600_000;

  test("hours of sleep are no part of a call's time", async () => {
    const clock = useClock();
    const call = outcome(withTimeout({ timeout: 10_000, what: "It" }, never));
    await clock.run(3_000);
    clock.sleep(3 * HOUR);
    await clock.run(6_000);
    expect(call.code).toBe("open");
    await clock.run(2_000);
    expect(call.code).toBe("timeout");
  });

  test("timers that are throttled to one a minute do not lengthen it", async () => {
    const clock = useClock();
    const call = outcome(withTimeout({ timeout: 60_000, what: "It" }, never));
    clock.sleep(59_500);
    await clock.run(2_000);
    expect(call.code).toBe("timeout");
  });

  test("an answer that came before the timer was served is taken, though the deadline has passed", async () => {
    const clock = useClock();
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise<unknown>((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
    });
    const call = withTimeout({ timeout: 800, what: "It" }, () => answer);
    port2.postMessage("ready");
    clock.sleep(30_000);
    // The late timer, before any message.
    vi.advanceTimersByTime(1_000);
    await expect(call).resolves.toBe("ready");
    port1.close();
  });
});
