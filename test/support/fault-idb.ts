// Makes calls of IndexedDB fail in a worker, as browsers do.
import { delay, failure, isDue, type Native, patch, target, throws } from "./fault-patch.js";

type Listener = (event: Event) => void;

/** A request that fails; `when` receives the function that makes it. */
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
  // Committed, but reported as failed.
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

/** Chrome runs out of space when it commits: after the last request succeeded. */
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
