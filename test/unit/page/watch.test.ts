// Watching: one prediction at a time, the newest frame wins, the others are counted, and nothing is left behind at the end.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { PredictInput, PredictOptions, WatchSource } from "../../../src/page/api-types.js";
import { watch } from "../../../src/page/watch.js";
import { ERROR_CODES, type ErrorCode, InsituError } from "../../../src/shared/errors.js";
import type { Prediction } from "../../../src/shared/types/model.js";

/** The page's repaints, which Node does not have: the test shows each frame. */
class Canvas {
  readonly [Symbol.toStringTag] = "HTMLCanvasElement";
}
const repaints = new Map<number, () => void>();
let handles = 0;
const show = async (frames = 1) => {
  for (let i = 0; i < frames; i += 1) {
    const due = [...repaints.values()];
    repaints.clear();
    for (const paint of due) paint();
    await turn();
  }
};
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const canvas = new Canvas() as unknown as WatchSource;

/** The next frame would fail as well. */
const LASTING: ErrorCode[] = ["aborted", "disposed", "input_invalid"];
const PASSING = ERROR_CODES.filter((code) => !LASTING.includes(code));

class Video extends EventTarget {
  readonly [Symbol.toStringTag] = "HTMLVideoElement";
  readonly src = "film.webm";
  paint: () => void = () => undefined;
  requestVideoFrameCallback(run: () => void): number {
    this.paint = run;
    return 1;
  }
  cancelVideoFrameCallback(): void {}
}

beforeAll(() => {
  vi.stubGlobal("requestAnimationFrame", (paint: () => void) => {
    handles += 1;
    repaints.set(handles, paint);
    return handles;
  });
  vi.stubGlobal("cancelAnimationFrame", (handle: number) => void repaints.delete(handle));
});
afterAll(() => void vi.unstubAllGlobals());

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => void unhandled.push(reason));
beforeEach(() => void repaints.clear());
afterEach(async () => {
  await turn();
  expect(unhandled.splice(0)).toEqual([]);
  expect(repaints.size).toBe(0);
});

/** A model whose calls the test answers; like the real one it rejects when its signal aborts. */
function manual() {
  const calls: { options: PredictOptions; answer(): Promise<void>; fail(error: unknown): void }[] = [];
  const predict = (_input: PredictInput, options: PredictOptions) =>
    new Promise<Prediction>((resolve, reject) => {
      const id = String(calls.length);
      options.signal?.addEventListener("abort", () => reject(new InsituError("aborted", "given up")));
      const answer = () => {
        resolve({ id } as Prediction);
        return turn();
      };
      calls.push({ options, answer, fail: reject });
    });
  return { calls, predict };
}

test("frames during a prediction count as dropped but for the newest, which is predicted next", async () => {
  const { calls, predict } = manual();
  const watched = watch(predict, canvas, { timeout: 9 });
  const walk = watched[Symbol.asyncIterator]();
  const first = walk.next();
  await show();
  expect(calls.length).toBe(1);
  expect(calls[0]?.options.timeout).toBe(9);
  await show(4);
  expect({ calls: calls.length, seen: watched.seen, dropped: watched.dropped }).toEqual({
    calls: 1,
    seen: 5,
    dropped: 3,
  });
  await calls[0]?.answer();
  expect((await first).value).toEqual({ id: "0" });
  await turn();
  expect({ calls: calls.length, dropped: watched.dropped }).toEqual({ calls: 2, dropped: 3 });
  watched.stop();
});

test("while the caller is busy, one prediction is made and no more", async () => {
  const { calls, predict } = manual();
  const watched = watch(predict, canvas);
  const walk = watched[Symbol.asyncIterator]();
  const first = walk.next();
  await show();
  await calls[0]?.answer();
  await first;
  await show(3);
  await calls[1]?.answer();
  await show(5);
  expect(calls.length).toBe(2);
  expect((await walk.next()).value).toEqual({ id: "1" });
  await turn();
  // The newest of the five, at once.
  expect(calls.length).toBe(3);
  expect(watched.seen).toBe(9);
  expect(watched.dropped).toBe(2 + 4);
  watched.stop();
});

test("nothing happens before the walk, and stop() without one is safe", async () => {
  const { calls, predict } = manual();
  const watched = watch(predict, canvas);
  await show(3);
  watched.stop();
  watched.stop();
  expect(await watched[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  expect({ calls: calls.length, seen: watched.seen }).toEqual({ calls: 0, seen: 0 });
});

test.each(["stop", "return", "dispose"] as const)(
  "%s ends a walk that waits, and its prediction, quietly",
  async (how) => {
    const { calls, predict } = manual();
    const watched = watch(predict, canvas);
    const walk = watched[Symbol.asyncIterator]();
    const waiting = walk.next();
    await show();
    if (how === "stop") watched.stop();
    if (how === "return") await walk.return?.();
    if (how === "dispose") await watched[Symbol.asyncDispose]();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(calls[0]?.options.signal?.aborted).toBe(true);
    await show(2);
    expect({ calls: calls.length, seen: watched.seen }).toEqual({ calls: 1, seen: 1 });
  },
);

test.each(["before", "during"])("a signal %s ends it with aborted", async (when) => {
  const { calls, predict } = manual();
  const controller = new AbortController();
  if (when === "before") controller.abort("enough");
  const walk = watch(predict, canvas, { signal: controller.signal })[Symbol.asyncIterator]();
  const waiting = walk.next();
  waiting.catch(() => undefined);
  await show();
  controller.abort("enough");
  await expect(waiting).rejects.toMatchObject({ code: "aborted", cause: "enough" });
  expect(calls.every(({ options }) => options.signal?.aborted)).toBe(true);
  expect(await walk.next()).toEqual({ done: true, value: undefined });
});

test("a prediction that fails is told and counted, and the walk goes on with the next frame", async () => {
  const { calls, predict } = manual();
  const errors: unknown[] = [];
  const watched = watch(predict, canvas, { onError: (error) => errors.push(error) });
  const walk = watched[Symbol.asyncIterator]();
  const first = walk.next();
  const faults = PASSING.map((code) => new InsituError(code, "It failed."));
  for (const [n, fault] of faults.entries()) {
    await show();
    calls[n]?.fail(fault);
    await turn();
  }
  expect(errors).toEqual(faults);
  expect({ failed: watched.failed, dropped: watched.dropped }).toEqual({ failed: PASSING.length, dropped: 0 });
  await show();
  await calls[PASSING.length]?.answer();
  expect((await first).value).toEqual({ id: String(PASSING.length) });
  watched.stop();
});

test("frames that came during a prediction that failed are predicted at once", async () => {
  const { calls, predict } = manual();
  const watched = watch(predict, canvas, { onError: () => undefined });
  const first = watched[Symbol.asyncIterator]().next();
  await show(3);
  calls[0]?.fail(new InsituError("output_invalid", "NaN"));
  await turn();
  expect(calls.length).toBe(2);
  await calls[1]?.answer();
  expect((await first).value).toEqual({ id: "1" });
  expect({ seen: watched.seen, dropped: watched.dropped }).toEqual({ seen: 3, dropped: 1 });
  watched.stop();
});

test("without onError the first failure of a row is reported as uncaught", async () => {
  const { calls, predict } = manual();
  const reported: unknown[] = [];
  vi.stubGlobal("reportError", (error: unknown) => reported.push(error));
  const watched = watch(predict, canvas);
  const walk = watched[Symbol.asyncIterator]();
  let next = walk.next();
  const end = async (outcome: InsituError | "good") => {
    await show();
    if (outcome === "good") {
      await calls.at(-1)?.answer();
      await next;
      next = walk.next();
    } else calls.at(-1)?.fail(outcome);
    await turn();
  };
  const faults = [1, 2, 3, 4].map((n) => new InsituError("output_invalid", `NaN ${n}`));
  for (const outcome of [faults[0], faults[1], "good", faults[2], faults[3]] as const)
    await end(outcome as InsituError);
  Reflect.deleteProperty(globalThis, "reportError");
  expect(reported).toEqual([faults[0], faults[2]]);
  expect(watched.failed).toBe(4);
  watched.stop();
  await next;
});

test("an error of onError is reported as uncaught, and the walk goes on", async () => {
  const { calls, predict } = manual();
  const reported: unknown[] = [];
  vi.stubGlobal("reportError", (error: unknown) => reported.push(error));
  const mistake = new Error("a mistake of the page");
  const watched = watch(predict, canvas, {
    onError() {
      throw mistake;
    },
  });
  const first = watched[Symbol.asyncIterator]().next();
  await show();
  calls[0]?.fail(new InsituError("timeout", "late"));
  await turn();
  await show();
  await calls[1]?.answer();
  await first;
  Reflect.deleteProperty(globalThis, "reportError");
  expect(reported).toEqual([mistake]);
  watched.stop();
});

test("the last frame of a video may fail: the walk ends with the video", async () => {
  const { calls, predict } = manual();
  const video = new Video();
  const watched = watch(predict, video as unknown as WatchSource, { onError: () => undefined });
  const first = watched[Symbol.asyncIterator]().next();
  video.paint();
  video.dispatchEvent(new Event("ended"));
  calls[0]?.fail(new InsituError("output_invalid", "NaN"));
  expect(await first).toEqual({ done: true, value: undefined });
  expect(watched).toMatchObject({ seen: 1, failed: 1 });
});

test.each(LASTING)("a failure with %s rejects the walk, after what was ready", async (code) => {
  const { calls, predict } = manual();
  const errors: unknown[] = [];
  const watched = watch(predict, canvas, { onError: (error) => errors.push(error) });
  const walk = watched[Symbol.asyncIterator]();
  const first = walk.next();
  await show();
  await calls[0]?.answer();
  await first;
  await show();
  const fault = new InsituError(code, "It cannot pass.");
  calls[1]?.fail(fault);
  await expect(walk.next()).rejects.toBe(fault);
  expect(errors).toEqual([]);
});

test("onError of another type is refused", () => {
  expect(() => watch(manual().predict, canvas, { onError: "log" as never })).toThrowError(/onError/);
});

test("with an interval only frames that are due are seen, in the rhythm that was asked for", async () => {
  const { predict } = manual();
  let now = 1000;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  const watched = watch(predict, canvas, { every: 100 });
  const waiting = watched[Symbol.asyncIterator]().next();
  // Ten seconds at 60 frames a second.
  for (let frame = 0; frame < 600; frame += 1) {
    await show();
    now += 1000 / 60;
  }
  clock.mockRestore();
  expect(watched.seen).toBeGreaterThanOrEqual(99);
  expect(watched.seen).toBeLessThanOrEqual(101);
  watched.stop();
  await waiting;
});

test.each([0, -5, Number.NaN, "often"])("an interval of %s is refused", (every) => {
  expect(() => watch(manual().predict, canvas, { every: every as number })).toThrowError(/every is/);
});

test.each([undefined, null, {}, "video"])("%s cannot be watched", (wrong) => {
  expect(() => watch(manual().predict, wrong as unknown as WatchSource)).toThrowError(/a video or canvas element/);
});
