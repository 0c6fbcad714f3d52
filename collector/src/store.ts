// The embedded database: opens it, appends batches durably, stores all sums for good, deletes old details.
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type Added, addPoints } from "./add-points.js";
import { adviceFor, checkLog, type Note, openNote } from "./damage.js";
import { apply, type Change, emptyChange, type Ledger, retire, silentSince } from "./ledger.js";
import { migrate } from "./migrations.js";
import { createNewSeriesLimit } from "./new-series.js";
import { readLedger } from "./read-ledger.js";
import type { Event, Point, Series } from "./records.js";
import { readBatchCounts, readSlots, type Slot, type Span } from "./slots.js";
import { deleteOld, deleteSeries, knownBatches, writeRows } from "./tables.js";

export interface Store {
  /** Resolves once the batch is on disk; rejects when nothing of it was stored. */
  append(batch: Batch): Promise<AppendResult>;
  /** All sums, each series with its id. */
  series(): (Series & { id: number })[];
  /** What series grew by in a range of time. */
  slots(ids: readonly number[], span: Span): Promise<Slot[]>;
  /** How many batches hold data of each series. */
  batchCounts(ids: readonly number[]): Promise<Map<number, number>>;
  /** Rejects when the database does not respond. */
  check(): Promise<void>;
  /** Deletes points, events, cumulative streams and series whose newest point is from before `time` (epoch milliseconds). */
  forget(time: number): Promise<void>;
  /** How many requests that were stored the database had lost when it was opened. */
  lostRequests: number;
  /** Waits for pending writes, then closes the file. */
  close(): Promise<void>;
}

export interface Batch {
  /** The sender's id of the batch: of several with the same id only the first is counted. */
  id?: string;
  /** The address that sent it; without one there is no limit on new series. */
  sender?: string;
  points?: readonly Point[];
  events?: readonly Event[];
}

export interface AppendResult extends Added {
  /** True when a batch with this id was counted before, and this one was not. */
  isRepeated: boolean;
}

interface Job {
  batch: Batch;
  resolve: (result: AppendResult) => void;
  reject: (error: unknown) => void;
}

// DuckDB's defaults would use 80 % of the memory and every core. No download of extensions.
const DUCKDB = {
  memory_limit: "192MB",
  threads: "2",
  autoinstall_known_extensions: "false",
  autoload_known_extensions: "false",
};

// One transaction writes everything that waits, since its cost is the disk's, not the rows'; bounded, as a batch may have 256 KiB.
const MAX_BATCHES_PER_TRANSACTION = 64;

/** What writing needs. */
interface Writer {
  connection: DuckDBConnection;
  ledger: Ledger;
  /** How many requests were stored since the database was created. */
  requests: number;
  note: Note | null;
  mayBegin: ReturnType<typeof createNewSeriesLimit>;
}

/** Opens or creates the database at `path`. Throws with what to do when it cannot be used. */
export async function openStore(path: string): Promise<Store> {
  const { instance, connection, ledger, requests } = await open(path);
  // Its own connection: a query over a month must not delay writes.
  const reader = await instance.connect();
  const note = path === IN_MEMORY ? null : await openNote(path);
  const lostRequests = Math.max(0, (note?.before ?? 0) - requests);
  if (lostRequests > 0)
    console.error(
      `The database ${path} has lost ${lostRequests} requests that were stored: it or its write-ahead log ${path}.wal was cut, removed or replaced.`,
    );
  const writer: Writer = { connection, ledger, requests, note, mayBegin: createNewSeriesLimit() };
  const waiting: Job[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let draining = false;

  /** A connection has one transaction at a time: its users run one after the other. */
  const enqueue = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const drain = async () => {
    draining = true;
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, MAX_BATCHES_PER_TRANSACTION);
      await enqueue(() => commit(writer, jobs));
    }
    draining = false;
  };

  return {
    lostRequests,
    append: (batch) =>
      new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        if (!draining) void drain();
      }),
    series: () => [...ledger.entries.values()],
    slots: (ids, span) => readSlots(reader, ids, span),
    batchCounts: (ids) => readBatchCounts(reader, ids),
    check: () => enqueue(async () => void (await connection.run("SELECT 1"))),
    forget: (time) => enqueue(() => forget(connection, ledger, time)),
    close: () =>
      enqueue(async () => {
        reader.closeSync();
        connection.closeSync();
        instance.closeSync();
        await note?.close();
      }),
  };
}

const IN_MEMORY = ":memory:";

async function open(path: string) {
  try {
    if (path !== IN_MEMORY) checkLog(path);
    const instance = await DuckDBInstance.create(path, DUCKDB);
    const connection = await instance.connect();
    try {
      await migrate(connection);
      const ledger = await readLedger(connection);
      const progress = await connection.runAndReadAll("SELECT requests FROM progress");
      return { instance, connection, ledger, requests: Number(progress.getRowObjectsJS()[0]?.requests ?? 0) };
    } catch (error) {
      connection.closeSync();
      instance.closeSync();
      throw error;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot use the database ${path}: ${reason} ${adviceFor(reason, path)}`.trim(), { cause });
  }
}

/** Writes several batches at once; when that fails each is written alone, so that a bad one does not affect the others. */
async function commit(writer: Writer, jobs: readonly Job[]): Promise<void> {
  const { connection, ledger, mayBegin } = writer;
  try {
    const change = emptyChange();
    const fresh = await firstOfEach(connection, jobs);
    const added = new Map(
      fresh.map((job) => [job, addPoints(ledger, change, job.batch.points ?? [], mayBegin(job.batch.sender))]),
    );
    if (fresh.length > 0) await write(writer, change, fresh);
    apply(ledger, change);
    for (const job of jobs)
      job.resolve({ rejected: [], overflowed: 0, ...added.get(job), isRepeated: !added.has(job) });
  } catch (error) {
    if (jobs.length === 1) jobs[0]?.reject(error);
    else for (const job of jobs) await commit(writer, [job]);
  }
}

/** The jobs whose batch ids were not stored before. */
async function firstOfEach(connection: DuckDBConnection, jobs: readonly Job[]): Promise<Job[]> {
  const seen = await knownBatches(
    connection,
    jobs.flatMap(({ batch }) => batch.id ?? []),
  );
  return jobs.filter(({ batch: { id } }) => {
    if (id === undefined) return true;
    const isFirst = !seen.has(id);
    seen.add(id);
    return isFirst;
  });
}

async function write(writer: Writer, change: Change, jobs: readonly Job[]): Promise<void> {
  const requests = writer.requests + jobs.length;
  const events = jobs.flatMap(({ batch }) => batch.events ?? []);
  const batches = jobs.flatMap(({ batch }) => batch.id ?? []);
  await transaction(writer.connection, () => writeRows(writer.connection, { change, events, batches, requests }));
  writer.requests = requests;
  await writer.note?.write(requests);
}

async function forget(connection: DuckDBConnection, ledger: Ledger, time: number): Promise<void> {
  const before = Math.max(0, Math.trunc(time));
  const nanos = BigInt(before) * 1_000_000n;
  const silent = silentSince(ledger, before);
  await transaction(connection, async () => {
    await deleteOld(connection, before);
    await deleteSeries(connection, silent);
  });
  retire(ledger, silent);
  for (const [key, stream] of ledger.streams) if (BigInt(stream.time) < nanos) ledger.streams.delete(key);
}

async function transaction(connection: DuckDBConnection, work: () => Promise<void>): Promise<void> {
  await connection.run("BEGIN");
  try {
    await work();
    await connection.run("COMMIT");
  } catch (error) {
    // A failed COMMIT has rolled back already, and then there is nothing to roll back.
    await connection.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
