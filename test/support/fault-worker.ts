// Runs in a worker before the library: makes any call of the platform fail.
import { delay, failure, isDue, patch, rejects, target, throws } from "./fault-patch.js";
import "./fault-idb.js";
import "./fault-files.js";

const flip = (buffer: ArrayBuffer): ArrayBuffer => {
  const bytes = new Uint8Array(buffer.slice(0));
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.buffer;
};
const untilAborted = (signal: AbortSignal | undefined | null) =>
  new Promise((_, reject) => {
    const stop = () => reject(failure("AbortError"));
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
  });

// ---- network -----------------------------------------------------------------------------------------------------

const signals = new WeakMap<object, AbortSignal>();

patch(self, "fetch", "fetch", {
  reject: () => Promise.reject(new TypeError("Failed to fetch")),
  http500: async () => new Response("The host has trouble.", { status: 500 }),
  http404: async () => new Response("Nothing here.", { status: 404 }),
  html: async () => new Response("<!doctype html><title>Log in</title>", { headers: { "Content-Type": "text/html" } }),
  stall: (_native, _self, [, init]: [string, RequestInit?]) => untilAborted(init?.signal),
});
const { fetch: counted } = self;
self.fetch = async (input, init) => {
  const response = await counted(input, init);
  if (response.body && init?.signal) signals.set(response.body, init.signal);
  return response;
};
const { getReader } = ReadableStream.prototype;
ReadableStream.prototype.getReader = function (this: ReadableStream) {
  const reader = getReader.call(this);
  const signal = signals.get(this);
  if (signal) signals.set(reader, signal);
  return reader;
} as typeof getReader;
patch(ReadableStreamDefaultReader.prototype, "read", "read", {
  error: () => Promise.reject(new TypeError("network error")),
  end: async () => ({ done: true, value: undefined }),
  stall: (_native, reader) => untilAborted(signals.get(reader)),
});

// ---- bytes, locks, messages --------------------------------------------------------------------------------------

patch(Blob.prototype, "arrayBuffer", "blob", {
  reject: rejects("NotReadableError"),
  alter: async (native, self, given) => flip(await native.apply(self, given)),
});
patch(Blob.prototype, "text", "text", { reject: rejects("NotReadableError") });
patch(SubtleCrypto.prototype, "digest", "digest", {
  reject: rejects("OperationError"),
  wrong: async (native, self, given) => flip(await native.apply(self, given)),
});
patch(LockManager.prototype, "request", "lock", {
  reject: rejects("SecurityError"),
  never: (_native, _self, [, options]: [string, LockOptions]) => untilAborted(options.signal),
});
for (const owner of [self, MessagePort.prototype])
  patch(owner, "postMessage", "post", { throw: throws("DataCloneError"), drop: () => undefined });

// ---- clocks ------------------------------------------------------------------------------------------------------

/** Milliseconds from which on delays are shortened, and by how much: a stall ends after 1.5 s instead of 15. */
const LONG_MS = 1_000;
const SPEED = 10;

const faster = (ms = 0) => (ms < LONG_MS ? ms : ms / SPEED);
self.setTimeout = ((run: () => void, ms?: number) => delay(run, faster(ms))) as typeof setTimeout;
patch(self, "setTimeout", "timer", {
  never: () => delay(() => undefined, 0),
  atOnce: (_native, _self, [run]: [() => void]) => delay(run, 0),
});

const YEAR_MS = 365 * 24 * 3600 * 1000;
/** From the call on that is broken, the clock is `mode` off. */
function jump(owner: { now(): number }, kind: string, jumps: Record<string, number>): void {
  const now = owner.now.bind(owner);
  let off = 0;
  owner.now = () => {
    if (isDue(kind)) off = jumps[target.mode] ?? 0;
    return now() + off;
  };
}
jump(Date, "clock-date", { ahead: YEAR_MS, back: -YEAR_MS });
jump(performance, "clock-elapsed", { ahead: 3600 * 1000 });
