// The embedded database: opens it, appends batches durably, stores all sums for good, deletes old details.
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { addPoints, apply, type Change, emptyChange, type Ledger } from "./ledger.js";
import { migrate } from "./migrations.js";
import { probeWrite } from "./probe.js";
import type { Event, Point, Rejected, Series } from "./records.js";
import { readBatchCounts, readSlots, type Slot, type Span } from "./slots.js";
import { knownBatches, readLedger, writeRows } from "./tables.js";

export interface Store {
  /** Resolves once the batch is on disk; rejects when nothing of it was stored. */
  append(batch: Batch): Promise<AppendResult>;
  /** All sums since the database was created, each series with its id. */
  series(): (Series & { id: number })[];
  /** What series grew by in a range of time. */
  slots(ids: readonly number[], span: Span): Promise<Slot[]>;
  /** How many batches hold data of each series. */
  batchCounts(ids: readonly number[]): Promise<Map<number, number>>;
  /** Rejects when the database cannot be written. */
  check(): Promise<void>;
  /** Deletes points, events and inactive cumulative streams from before `time` (epoch milliseconds); the sums stay. */
  forget(time: number): Promise<void>;
  /** Waits for pending writes, then closes the file. */
  close(): Promise<void>;
}

export interface Batch {
  /** The sender's id of the batch: of several with the same id only the first is counted. */
  id?: string;
  points?: readonly Point[];
  events?: readonly Event[];
}

export interface AppendResult {
  rejected: Rejected[];
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

/** Opens or creates the database at `path`. Throws with what to do when it cannot be used. */
export async function openStore(path: string): Promise<Store> {
  const { instance, connection, ledger } = await open(path);
  // Its own connection: a query over a month must not delay writes.
  const reader = await instance.connect();
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
      await enqueue(() => commit(connection, ledger, jobs));
    }
    draining = false;
  };

  return {
    append: (batch) =>
      new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        if (!draining) void drain();
      }),
    series: () => [...ledger.entries.values()],
    slots: (ids, span) => readSlots(reader, ids, span),
    batchCounts: (ids) => readBatchCounts(reader, ids),
    check: () => enqueue(() => probeWrite(connection)),
    forget: (time) => enqueue(() => forget(connection, ledger, time)),
    close: () =>
      enqueue(async () => {
        reader.closeSync();
        connection.closeSync();
        instance.closeSync();
      }),
  };
}

async function open(path: string) {
  try {
    const instance = await DuckDBInstance.create(path, DUCKDB);
    const connection = await instance.connect();
    try {
      await migrate(connection);
      return { instance, connection, ledger: await readLedger(connection) };
    } catch (error) {
      connection.closeSync();
      instance.closeSync();
      throw error;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = /lock/i.test(reason) ? "Another collector has it open: end that one, or name another file." : "";
    throw new Error(`Cannot use the database ${path}: ${reason} ${hint}`.trim(), { cause });
  }
}

/** Writes several batches at once; when that fails each is written alone, so that a bad one does not affect the others. */
async function commit(connection: DuckDBConnection, ledger: Ledger, jobs: readonly Job[]): Promise<void> {
  try {
    const change = emptyChange();
    const fresh = await firstOfEach(connection, jobs);
    const rejected = new Map(fresh.map((job) => [job, addPoints(ledger, change, job.batch.points ?? [])]));
    await write(connection, change, fresh);
    apply(ledger, change);
    for (const job of jobs) job.resolve({ rejected: rejected.get(job) ?? [], isRepeated: !rejected.has(job) });
  } catch (error) {
    if (jobs.length === 1) jobs[0]?.reject(error);
    else for (const job of jobs) await commit(connection, ledger, [job]);
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

async function write(connection: DuckDBConnection, change: Change, jobs: readonly Job[]): Promise<void> {
  await transaction(connection, () =>
    writeRows(
      connection,
      change,
      jobs.flatMap(({ batch }) => batch.events ?? []),
      jobs.flatMap(({ batch }) => batch.id ?? []),
    ),
  );
}

async function forget(connection: DuckDBConnection, ledger: Ledger, time: number): Promise<void> {
  const before = BigInt(Math.max(0, Math.trunc(time)));
  const nanos = before * 1_000_000n;
  await transaction(connection, async () => {
    await connection.run("DELETE FROM points WHERE time < epoch_ms($1::BIGINT)", [before]);
    await connection.run("DELETE FROM events WHERE time < epoch_ms($1::BIGINT)", [before]);
    await connection.run("DELETE FROM batches WHERE time < epoch_ms($1::BIGINT)", [before]);
    await connection.run("DELETE FROM streams WHERE time < $1::UBIGINT", [nanos]);
  });
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
