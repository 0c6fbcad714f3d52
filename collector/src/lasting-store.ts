// A store that opens its database again after an error that ends it, and that remembers for a moment whether it can be written.
import { createRoomCheck, MIN_FREE_BYTES } from "./disk-room.js";
import { Evidence } from "./evidence/evidence.js";
import { openStore, type Store } from "./store.js";

// The time between two attempts to open: each reads the whole write-ahead log.
const REOPEN_MS = 1_000;
// A probe writes 64 KiB; strangers may ask for it.
const READY_MS = 5_000;
const FAILED_MS = 1_000;
// An orchestrator's probe waits a second or a few.
const CHECK_TIMEOUT_MS = 5_000;

/**
 * DuckDB takes nothing more after it failed to write a checkpoint, on a full disk for example, until the file is opened again. The sums
 * are read from the file then: a transaction whose checkpoint failed is stored, although it was reported as failed.
 */
export async function openLastingStore(path: string, minFree = MIN_FREE_BYTES, now = Date.now): Promise<Store> {
  const checkRoom = createRoomCheck(path, minFree);
  const deps = { evidence: new Evidence(), now };
  let inner = await openStore(path, deps);
  let isBroken = false;
  let opening: Promise<void> | undefined;
  let openedAt = 0;

  const reopen = async () => {
    const wait = openedAt + REOPEN_MS - Date.now();
    if (wait > 0) throw new Error("it failed, and is opened again in a moment");
    openedAt = Date.now();
    await inner.close();
    inner = await openStore(path, deps);
    isBroken = false;
    console.error(`The database ${path} was opened again.`);
  };

  /** Runs an operation on a database that is open. */
  const use = async <T>(work: (store: Store) => Promise<T>): Promise<T> => {
    if (isBroken) {
      opening ??= reopen().finally(() => {
        opening = undefined;
      });
      await opening;
    }
    const store = inner;
    try {
      return await work(store);
    } catch (error) {
      if (store === inner && isFatal(error)) isBroken = true;
      throw error;
    }
  };

  /** Of one that writes. */
  const useWithRoom = async <T>(work: (store: Store) => Promise<T>): Promise<T> => {
    await checkRoom();
    return use(work);
  };
  return {
    ...inner,
    append: (batch) => useWithRoom((store) => store.append(batch)),
    series: () => inner.series(),
    isWriting: () => inner.isWriting(),
    slots: (ids, span) => use((store) => store.slots(ids, span)),
    batchCounts: (ids) => use((store) => store.batchCounts(ids)),
    // What waits is written before it is read.
    evidence: (query) => useWithRoom((store) => store.evidence(query)),
    seenCells: (model) => useWithRoom((store) => store.seenCells(model)),
    write: (work) => useWithRoom((store) => store.write(work)),
    read: (work) => use((store) => store.read(work)),
    check: createCheck(() => useWithRoom((store) => store.check())),
    forget: (time) => use((store) => store.forget(time)),
    async close() {
      await opening?.catch(() => undefined);
      await inner.close();
    },
  };
}

function isFatal(error: unknown): boolean {
  return error instanceof Error && /^FATAL|has been invalidated/.test(error.message);
}

/** One probe at a time, whose result holds for a moment. */
function createCheck(probe: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> | undefined;
  return () => {
    if (last) return last;
    const result = withTimeout(probe());
    const forgetAfter = (ms: number) =>
      setTimeout(() => {
        last = undefined;
      }, ms).unref();
    result.then(
      () => forgetAfter(READY_MS),
      () => forgetAfter(FAILED_MS),
    );
    last = result;
    return result;
  };
}

async function withTimeout(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no response within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
