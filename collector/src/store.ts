// The embedded database: opens it, appends batches durably, deletes old details and series that are silent.
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type AppendResult, type Batch, commit, type Job, type Writer } from "./commit.js";
import { adviceFor, checkLog, openNote } from "./damage.js";
import { Evidence } from "./evidence/evidence.js";
import { SenderFile } from "./evidence/sender-rows.js";
import { type EvidenceReads, evidenceReads, flushEvidence } from "./evidence/written.js";
import { type Ledger, retire, silentSince } from "./ledger.js";
import { migrate } from "./migrations.js";
import { createNewSeriesLimit } from "./new-series.js";
import { probeWrite } from "./probe.js";
import { readLedger } from "./read-ledger.js";
import type { Series } from "./records.js";
import { readBatchCounts, readSlots, type Slot, type Span } from "./slots.js";
import { deleteOld, deleteSeries } from "./tables.js";
import { transaction } from "./transaction.js";
import { trialOpen } from "./trial-open.js";

export interface Store extends EvidenceReads {
  /** Resolves once the batch is on disk; rejects when nothing of it was stored. */
  append(batch: Batch): Promise<AppendResult>;
  /** All sums, each series with its id. */
  series(): (Series & { id: number })[];
  /** What series grew by in a range of time. */
  slots(ids: readonly number[], span: Span): Promise<Slot[]>;
  /** How many batches hold data of each series. */
  batchCounts(ids: readonly number[]): Promise<Map<number, number>>;
  /** Runs a transaction in turn with the requests that are stored. */
  write<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  /** Reads beside the writes. */
  read<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  /** Rejects when the database cannot be written. */
  check(): Promise<void>;
  /**
   * Deletes points, events, cumulative streams and series whose newest point is from before `time` (epoch milliseconds). When few places are
   * left, series retire after two silent days.
   */
  forget(time: number): Promise<void>;
  /** How many requests that were stored the database had lost when it was opened. */
  lostRequests: number;
  /** Whether a batch is being stored. */
  isWriting(): boolean;
  /** Waits for pending writes, then closes the file. */
  close(): Promise<void>;
}

// DuckDB's defaults would use 80 % of the memory and every core. No download of extensions.
const DUCKDB = {
  memory_limit: "192MB",
  threads: "2",
  autoinstall_known_extensions: "false",
  autoload_known_extensions: "false",
  // What waits for a checkpoint is in memory too: with DuckDB's 16 MB the peak under load was 440 MB, with 2 MB 280 MB.
  checkpoint_threshold: "2MB",
};

// A checkpoint writes the last row group of each table again. With DuckDB's 122,880 rows that blocked writes for 150 to 350 ms.
const ROW_GROUP_SIZE = 16_384;

// One transaction writes everything that waits, since its cost is the disk's, not the rows'; bounded, as a batch may have 256 KiB.
const MAX_BATCHES_PER_TRANSACTION = 64;

/** `evidence` outlives a database that is closed and opened again; `now` is in epoch milliseconds. */
export interface StoreDeps {
  evidence?: Evidence;
  now?: () => number;
}

/** Opens or creates the database at `path`. Throws with what to do when it cannot be used. */
export async function openStore(path: string, deps: StoreDeps = {}): Promise<Store> {
  const { evidence = new Evidence(), now = Date.now } = deps;
  const { instance, connection, ledger, requests } = await open(path);
  // Its own connection: a query over a month must not delay writes.
  const reader = await instance.connect();
  await useFile(reader, path);
  const note = path === IN_MEMORY ? null : await openNote(path);
  const lostRequests = Math.max(0, (note?.before ?? 0) - requests);
  if (lostRequests > 0) tellLost(path, lostRequests);
  const senders = new SenderFile(path === IN_MEMORY ? undefined : path);
  await senders.restore(connection, evidence.senders, now());
  const writer: Writer = { connection, ledger, requests, note, evidence, now, mayBegin: createNewSeriesLimit() };
  const waiting: Job[] = [];
  let draining = false;

  const enqueue = createTurns();

  const drain = async () => {
    draining = true;
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, MAX_BATCHES_PER_TRANSACTION);
      await enqueue(() => commit(writer, jobs));
    }
    draining = false;
  };

  const flush = () => flushEvidence(connection, evidence, senders);

  return {
    lostRequests,
    append: (batch) =>
      new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        if (!draining) void drain();
      }),
    series: () => [...ledger.entries.values()],
    isWriting: () => draining,
    slots: (ids, span) => readSlots(reader, ids, span),
    batchCounts: (ids) => readBatchCounts(reader, ids),
    ...evidenceReads(reader, () => enqueue(flush)),
    write: (work) => enqueue(() => transaction(connection, () => work(connection))),
    read: (work) => work(reader),
    check: () => enqueue(() => probeWrite(connection)),
    forget: (time) =>
      enqueue(async () => {
        // What cannot be written stays in memory, and must not keep old rows from being deleted.
        await flush().catch((error) => console.error("The evidence about versions could not be written:", error));
        await senders.forgetBefore(connection, now());
        await forget(connection, ledger, time);
      }),
    close: () =>
      enqueue(async () => {
        await flush().catch((error) => console.error("What waited of the evidence about versions is lost:", error));
        reader.closeSync();
        connection.closeSync();
        instance.closeSync();
        await note?.close();
      }),
  };
}

/** A connection has one transaction at a time: its users run one after the other. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

function tellLost(path: string, requests: number): void {
  console.error(
    `The database ${path} has lost ${requests} requests that were stored: it or its write-ahead log ${path}.wal was cut, removed or replaced.`,
  );
}

const IN_MEMORY = ":memory:";
/** The attached file's name in SQL. */
const DATABASE = "telemetry";

async function useFile(connection: DuckDBConnection, path: string): Promise<void> {
  if (path !== IN_MEMORY) await connection.run(`USE ${DATABASE}`);
}

async function open(path: string) {
  try {
    if (path !== IN_MEMORY) {
      checkLog(path);
      await trialOpen(path);
    }
    // Attached, not opened: only an attached file can have row groups of another size.
    const instance = await DuckDBInstance.create(IN_MEMORY, DUCKDB);
    const connection = await instance.connect();
    try {
      if (path !== IN_MEMORY) {
        await connection.run(
          `ATTACH '${path.replaceAll("'", "''")}' AS ${DATABASE} (ROW_GROUP_SIZE ${ROW_GROUP_SIZE})`,
        );
        await useFile(connection, path);
      }
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

async function forget(connection: DuckDBConnection, ledger: Ledger, time: number): Promise<void> {
  const before = Math.max(0, Math.trunc(time));
  const nanos = BigInt(before) * 1_000_000n;
  const silent = silentSince(ledger, before, Date.now());
  await transaction(connection, async () => {
    await deleteOld(connection, before);
    await deleteSeries(connection, silent);
  });
  retire(ledger, silent);
  for (const [key, stream] of ledger.streams) if (BigInt(stream.time) < nanos) ledger.streams.delete(key);
}
