// Runs in a worker before the library: counts its calls of the platform by kind, and breaks the one that the worker's URL names.

/** Milliseconds from which on delays are shortened, and by how much: a stall ends after 1.5 s instead of 15. */
const LONG_MS = 1_000;
const SPEED = 10;

const query = new URLSearchParams(location.search);
const target = { kind: query.get("kind"), n: Number(query.get("n")), mode: query.get("mode") ?? "" };
const counts: Record<string, number> = {};
const send = self.postMessage.bind(self) as (message: unknown) => void;
const delay = setTimeout;

// The library's listener passes over what is no message of comlink's.
addEventListener("message", ({ data }) => {
  if (data === "fault-counts") send({ faultCounts: counts });
});

/** True for the call that is to be broken. */
function isDue(kind: string): boolean {
  counts[kind] = (counts[kind] ?? 0) + 1;
  if (kind !== target.kind || counts[kind] !== target.n) return false;
  send({ faultFired: true });
  return true;
}

// biome-ignore lint/suspicious/noExplicitAny: it stands for any function of the platform.
type Native = (...given: any[]) => any;
/** What happens instead of a call, by mode. */
// biome-ignore lint/suspicious/noExplicitAny: each knows what it is called with.
type Faults = Record<string, (native: Native, self: any, given: any) => unknown>;

/** Calls after which a worker may die: those that change something outside of it or wait for it. */
function crashAfter(kind: string): void {
  if (kind.startsWith("clock") || kind === "timer" || kind === "post" || !isDue("op")) return;
  if (target.mode === "error") reportError(new Error("The worker was made to crash."));
  if (target.mode === "close") self.close();
  if (target.mode === "stuck") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function patch(owner: object, name: string, kind: string, faults: Faults): void {
  const methods = owner as Record<string, Native>;
  const native = methods[name] as Native;
  methods[name] = function (this: never, ...given: never[]) {
    const fault = isDue(kind) ? faults[target.mode] : undefined;
    const result = fault ? fault(native, this, given) : native.apply(this, given);
    crashAfter(kind);
    return result;
  };
}

const failure = (name: string) => new DOMException(`The test made this fail (${name}).`, name);
const throws = (name: string) => () => {
  throw failure(name);
};
const rejects = (name: string) => () => Promise.reject(failure(name));
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

// ---- IndexedDB ---------------------------------------------------------------------------------------------------

type Listener = (event: Event) => void;

/** A request that fails; `when` is told how to make it. */
function failing(prototype: object, name: string, when: (fail: () => void) => void): IDBRequest {
  const listeners: Listener[] = [];
  const request = Object.create(prototype, {
    error: { value: failure(name) },
    addEventListener: { value: (type: string, listener: Listener) => type === "error" && listeners.push(listener) },
    removeEventListener: { value: () => undefined },
  });
  when(() => {
    for (const listener of listeners) listener(new Event("error"));
  });
  return request;
}

/** As Chrome aborts a transaction on its own: with the error in `error`. */
function abort(transaction: IDBTransaction, name: string): void {
  Object.defineProperty(transaction, "error", { value: failure(name) });
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}

patch(IDBFactory.prototype, "open", "idb-open", {
  throw: throws("SecurityError"),
  error: () => failing(IDBOpenDBRequest.prototype, "UnknownError", (fail) => delay(fail)),
  never: () => failing(IDBOpenDBRequest.prototype, "UnknownError", () => undefined),
  // Before the library's own listener, and after it.
  ended(native, self, given) {
    const request: IDBOpenDBRequest = native.apply(self, given);
    request.addEventListener("upgradeneeded", () => request.transaction?.abort());
    return request;
  },
  abort(native, self, given) {
    const request: IDBOpenDBRequest = native.apply(self, given);
    queueMicrotask(() => request.addEventListener("upgradeneeded", () => request.transaction?.abort()));
    return request;
  },
});

patch(IDBDatabase.prototype, "transaction", "idb-tx", {
  throw: throws("InvalidStateError"),
  close(native, self: IDBDatabase, given) {
    self.close();
    self.dispatchEvent(new Event("close"));
    return native.apply(self, given);
  },
});

/** Transactions that will not be committed, with the number of their requests that have not been answered. */
const doomed = new WeakMap<IDBTransaction, { open: number; name: string }>();
const doom = (name: string) => (transaction: IDBTransaction) => doomed.set(transaction, { open: 0, name });
const ends: Record<string, (transaction: IDBTransaction) => void> = {
  quota: doom("QuotaExceededError"),
  unknown: doom("UnknownError"),
  // Committed, and told that it was not.
  lost(transaction) {
    const listen = transaction.addEventListener.bind(transaction);
    Object.defineProperty(transaction, "error", { value: failure("UnknownError") });
    transaction.addEventListener = (type: string, listener: Listener) => {
      if (type !== "complete") listen(type, listener);
      if (type === "abort") listen("complete", listener);
    };
  },
};
const begin = IDBDatabase.prototype.transaction;
IDBDatabase.prototype.transaction = function (stores, mode, options) {
  const transaction = begin.call(this, stores, mode, options);
  if (mode === "readwrite" && isDue("idb-commit")) ends[target.mode]?.(transaction);
  return transaction;
};

/** Chrome finds no room when it commits: after the last request succeeded. */
function watch(request: IDBRequest): void {
  const { transaction } = request;
  const state = transaction && doomed.get(transaction);
  if (!state) return;
  state.open += 1;
  // Later than the library's own listener, and than what it does then.
  queueMicrotask(() =>
    request.addEventListener("success", async () => {
      state.open -= 1;
      for (let turn = 0; turn < 50; turn += 1) await undefined;
      if (state.open === 0) abort(transaction, state.name);
    }),
  );
}

const failsWith =
  (name: string) =>
  (native: Native, self: IDBObjectStore, given: never[]): IDBRequest => {
    const request: IDBRequest = native.apply(self, given);
    return failing(IDBRequest.prototype, name, (fail) =>
      request.addEventListener("success", () => {
        fail();
        abort(self.transaction, name);
      }),
    );
  };
for (const name of ["get", "getAll", "getKey", "getAllKeys", "put", "delete", "clear"]) {
  const { prototype } = IDBObjectStore as unknown as { prototype: Record<string, Native> };
  const native = prototype[name] as Native;
  prototype[name] = function (this: never, ...given: never[]) {
    const request: IDBRequest = native.apply(this, given);
    watch(request);
    return request;
  };
  patch(prototype, name, `idb-${name}`, {
    throw: throws("InvalidStateError"),
    error: failsWith("UnknownError"),
    abort: failsWith("QuotaExceededError"),
  });
}
patch(Blob.prototype, "arrayBuffer", "blob", {
  reject: rejects("NotReadableError"),
  alter: async (native, self, given) => flip(await native.apply(self, given)),
});
patch(Blob.prototype, "text", "text", { reject: rejects("NotReadableError") });

// ---- hashes, locks, messages -------------------------------------------------------------------------------------

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

export {};
