// Watching a playing video and a canvas: the newest frame is predicted, and watching ends when it should.
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { WatchSource } from "../../../src/index.js";
import type { LibraryPage } from "../../support/page.js";
import { openSharedLibrary } from "../../support/shared-browser.js";

let library: LibraryPage;

// Nothing here takes longer: a walk that does not end must fail in seconds.
vi.setConfig({ testTimeout: 20_000 });

beforeAll(async () => {
  library = await openSharedLibrary();
});
afterAll(() => library?.close());
beforeEach(async () => {
  await library.visit();
  await library.page.evaluate(prepare);
});

async function prepare() {
  const client = window.insitu.createClient({ backends: ["cpu"] });
  window.model = await client.load("/models/digits/", { task: "classification" });
  await window.model.tuned;
  window.wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  window.draw = (canvas, digit) => {
    canvas.width = 28;
    canvas.height = 28;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.fillRect(0, 0, 28, 28);
    context.fillStyle = "white";
    context.font = "bold 24px sans-serif";
    context.fillText(String(digit), 7, 23);
  };
  window.play = async (canvas) => {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = canvas.captureStream();
    document.body.append(video);
    await video.play();
    return video;
  };
  window.film = async (digits) => {
    const canvas = document.createElement("canvas");
    window.draw(canvas, digits[0] as number);
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm;codecs=vp8", videoBitsPerSecond: 1e6 }); // biome-ignore format: one line
    const parts: Blob[] = [];
    recorder.ondataavailable = ({ data }) => void parts.push(data);
    recorder.start();
    for (const digit of digits) {
      for (let i = 0; i < 6; i += 1) {
        window.draw(canvas, digit);
        await window.wait(33);
      }
    }
    const stopped = new Promise((resolve) => {
      recorder.onstop = resolve;
    });
    recorder.stop();
    await stopped;
    return new Blob(parts, { type: "video/webm" });
  };
  window.callbacks = 0;
  const { requestVideoFrameCallback, cancelVideoFrameCallback } = HTMLVideoElement.prototype;
  const open = new Set<number>();
  const count = () => {
    window.callbacks = open.size;
  };
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (run) {
    const handle: number = requestVideoFrameCallback.call(this, (now, frame) => {
      open.delete(handle);
      count();
      run(now, frame);
    });
    open.add(handle);
    count();
    return handle;
  };
  HTMLVideoElement.prototype.cancelVideoFrameCallback = function (handle) {
    cancelVideoFrameCallback.call(this, handle);
    open.delete(handle);
    count();
  };
}

test("a video that plays gives what it shows, until the loop is left", async () => {
  const result = await library.page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    window.draw(canvas, 1);
    const video = await window.play(canvas);
    const expected = (await window.model.predict(canvas)).value[0]?.label;
    const timer = setInterval(() => window.draw(canvas, 1), 40);
    const labels: string[] = [];
    const watched = window.model.watch(video);
    for await (const { value, id } of watched) {
      if (!/^[0-9a-f]{32}$/.test(id)) throw new Error(id);
      labels.push(value[0]?.label as string);
      if (labels.length === 5) break;
    }
    const { seen, dropped } = watched;
    await window.wait(300);
    clearInterval(timer);
    return { expected, labels, seen, dropped, later: watched.seen - seen, callbacks: window.callbacks };
  });
  expect(result.labels).toEqual(Array(5).fill(result.expected));
  expect(result).toMatchObject({ later: 0, callbacks: 0 });
  expect(result.seen).toBeGreaterThanOrEqual(5 + result.dropped);
});

test("a caller that is slow gets a fresh frame, at most one call runs, and the rest is counted", async () => {
  const result = await library.page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    let frame = 0;
    window.draw(canvas, frame);
    const video = await window.play(canvas);
    const timer = setInterval(() => {
      frame += 1;
      window.draw(canvas, frame % 10);
    }, 25);
    let got = 0;
    const watched = window.model.watch(video);
    const queued: number[] = [];
    for await (const { timings } of watched) {
      got += 1;
      queued.push(timings.queueMs);
      await window.wait(200);
      if (got === 6) break;
    }
    clearInterval(timer);
    return { got, seen: watched.seen, dropped: watched.dropped, queued };
  });
  // Six times 200 ms at a frame each 25 ms.
  expect(result.seen).toBeGreaterThan(20);
  // Predicted are the six, one more at most, and one frame may wait.
  expect(result.seen - result.dropped).toBeGreaterThanOrEqual(6);
  expect(result.seen - result.dropped).toBeLessThanOrEqual(8);
  // Two calls at a time would wait for each other.
  for (const queue of result.queued) expect(queue).toBeLessThan(20);
});

test("a film ends the loop when it ends, and its last frame is predicted", async () => {
  const result = await library.page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    const alone: Record<number, string | undefined> = {};
    for (const digit of [0, 1, 7]) {
      window.draw(canvas, digit);
      alone[digit] = (await window.model.predict(canvas)).value[0]?.label;
    }
    const video = document.createElement("video");
    video.muted = true;
    const film = await window.film([0, 1, 7]);
    const labels: (string | undefined)[] = [];
    const watched = window.model.watch(video);
    // The walk begins before the video has any data.
    const walk = (async () => {
      for await (const { value } of watched) if (labels.at(-1) !== value[0]?.label) labels.push(value[0]?.label);
    })();
    await window.wait(200);
    const early = watched.seen;
    video.src = URL.createObjectURL(film);
    await video.play();
    await walk;
    const again: unknown[] = [];
    for await (const { value } of window.model.watch(video)) again.push(value);
    return { early, labels, expected: [alone[0], alone[1], alone[7]], again, callbacks: window.callbacks };
  });
  expect(result.labels).toEqual(result.expected);
  expect(result).toMatchObject({ early: 0, again: [], callbacks: 0 });
});

test("a stream whose tracks stop ends the walk", async () => {
  const result = await library.page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    window.draw(canvas, 3);
    const video = await window.play(canvas);
    const timer = setInterval(() => window.draw(canvas, 3), 30);
    let got = 0;
    for await (const _ of window.model.watch(video)) {
      got += 1;
      if (got === 3) for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
    }
    clearInterval(timer);
    for await (const _ of window.model.watch(video)) got += 100;
    return { got, callbacks: window.callbacks };
  });
  expect(result.got).toBeGreaterThanOrEqual(3);
  expect(result.got).toBeLessThanOrEqual(6);
  expect(result.callbacks).toBe(0);
});

test("a video that cannot be played rejects with input_invalid", async () => {
  const result = await library.page.evaluate(async () => {
    const walk = async (video: WatchSource) => {
      for await (const _ of window.model.watch(video)) return "predicted";
      return "ended";
    };
    const broken = document.createElement("video");
    const early = walk(broken).catch((error: { code: string; message: string }) => error);
    broken.src = "/nothing.webm";
    const { code, message } = (await early) as { code: string; message: string };
    const late = await walk(broken).catch((error: { code: string }) => error.code);
    return { code, message, late, callbacks: window.callbacks };
  });
  expect(result).toMatchObject({ code: "input_invalid", late: "input_invalid", callbacks: 0 });
  expect(result.message).toMatch(/^The video cannot be played: /);
});

test("a canvas is predicted at each repaint, or as often as is asked for, and a signal ends it", async () => {
  const result = await library.page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    window.draw(canvas, 0);
    const controller = new AbortController();
    const watched = window.model.watch(canvas, { every: 100, signal: controller.signal });
    const began = performance.now();
    let got = 0;
    const code = await (async () => {
      for await (const _ of watched) if (++got === 6) controller.abort();
    })().catch((error: { code: string }) => error.code);
    return { code, got, ms: performance.now() - began };
  });
  expect(result).toMatchObject({ code: "aborted", got: 6 });
  expect(result.ms).toBeGreaterThan(450);
});

test("a prediction that fails rejects the walk: an empty canvas, a model that was disposed", async () => {
  const codes = await library.page.evaluate(async () => {
    const walk = async (canvas: HTMLCanvasElement, act?: () => Promise<void>) => {
      for await (const _ of window.model.watch(canvas)) await act?.();
    };
    const code = (error: { code: string }) => error.code;
    const empty = Object.assign(document.createElement("canvas"), { width: 0, height: 0 });
    const canvas = document.createElement("canvas");
    return [await walk(empty).catch(code), await walk(canvas, () => window.model.dispose()).catch(code)];
  });
  expect(codes).toEqual(["input_invalid", "disposed"]);
});

test("where the browser tells of no video frames, repaints at which the video has moved on count", async () => {
  const result = await library.page.evaluate(async () => {
    Reflect.deleteProperty(HTMLVideoElement.prototype, "requestVideoFrameCallback");
    const canvas = document.createElement("canvas");
    window.draw(canvas, 0);
    const blob = await window.film([1, 7]);
    const video = document.createElement("video");
    video.muted = true;
    video.src = URL.createObjectURL(blob);
    await video.play();
    const watched = window.model.watch(video);
    let got = 0;
    for await (const _ of watched) got += 1;
    return { got, seen: watched.seen };
  });
  expect(result.got).toBeGreaterThanOrEqual(2);
  expect(result.seen).toBeGreaterThanOrEqual(result.got);
});

test.each([
  [
    "srcObject was set to null",
    (video: HTMLVideoElement) => {
      video.srcObject = null;
    },
  ],
  [
    "stream was taken away by load()",
    (video: HTMLVideoElement) => {
      video.srcObject = null;
      video.removeAttribute("src");
      video.load();
    },
  ],
])("a video whose %s ends the loop", async (_what, take) => {
  const result = await library.page.evaluate(async (take) => {
    const canvas = document.createElement("canvas");
    window.draw(canvas, 1);
    const video = await window.play(canvas);
    const timer = setInterval(() => window.draw(canvas, 1), 40);
    let got = 0;
    const watched = window.model.watch(video);
    for await (const _ of watched) {
      got += 1;
      if (got !== 2) continue;
      // Until a frame waits that was not predicted.
      for (const { seen } = watched; watched.seen < seen + 3; ) await window.wait(20);
      new Function("video", `(${take})(video)`)(video);
    }
    clearInterval(timer);
    await window.wait(100);
    return { got: got >= 2 && got <= 4, callbacks: window.callbacks };
  }, String(take));
  expect(result).toEqual({ got: true, callbacks: 0 });
});

test("another stream, or another file, in the same video goes on", async () => {
  const got = await library.page.evaluate(async () => {
    const film = await window.film([0, 1]);
    const canvas = document.createElement("canvas");
    window.draw(canvas, 1);
    const video = await window.play(canvas);
    const timer = setInterval(() => window.draw(canvas, 1), 40);
    const got: boolean[] = [];
    for await (const _ of window.model.watch(video)) {
      got.push(video.srcObject !== null);
      if (got.length === 2) {
        const other = document.createElement("canvas");
        window.draw(other, 7);
        video.srcObject = null;
        video.srcObject = other.captureStream();
        window.draw(other, 7);
        void video.play();
        const again = setInterval(() => window.draw(other, 7), 40);
        setTimeout(() => clearInterval(again), 3_000);
      }
      if (got.length === 5) {
        video.srcObject = null;
        video.src = URL.createObjectURL(film);
        void video.play();
      }
    }
    clearInterval(timer);
    // It ended with the film.
    return { stream: got.filter(Boolean).length, file: got.filter((each) => !each).length };
  });
  expect(got.stream).toBe(5);
  expect(got.file).toBeGreaterThan(0);
});

test("a video of another realm is watched", async () => {
  const label = await library.page.evaluate(async () => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    const canvas = document.createElement("canvas");
    window.draw(canvas, 1);
    const inner = (frame.contentDocument as Document).createElement("video");
    if ((inner as object) instanceof HTMLVideoElement) throw new Error("The frame has the same realm.");
    inner.muted = true;
    inner.srcObject = canvas.captureStream();
    frame.contentDocument?.body.append(inner);
    const timer = setInterval(() => window.draw(canvas, 1), 40);
    await inner.play();
    for await (const { value } of window.model.watch(inner)) {
      clearInterval(timer);
      return value[0]?.label;
    }
  });
  expect(label).toBe("1");
});
