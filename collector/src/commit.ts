// Writes waiting batches in one transaction: adds their points, stores each request once, and tells each sender what was rejected.
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Added, addPoints, type MayBegin } from "./add-points.js";
import type { Note } from "./damage.js";
import { contributionsOf } from "./evidence/contributions.js";
import type { Evidence } from "./evidence/evidence.js";
import { apply, type Change, emptyChange, type Ledger } from "./ledger.js";
import type { Event, Point } from "./records.js";
import { knownBatches, writeRows } from "./tables.js";
import { transaction } from "./transaction.js";

export interface Batch {
  /** The sender's id of the batch: of several with the same id only the first is counted. */
  id?: string;
  /** Who sent it, as `senderOf` names an address; without one there is no limit on new series. */
  sender?: string;
  /** Sent with a trusted key: its outcomes can promote a version. */
  isTrusted?: boolean;
  points?: readonly Point[];
  events?: readonly Event[];
}

export interface AppendResult extends Added {
  /** True when a batch with this id was counted before, and this one was not. */
  isRepeated: boolean;
}

export interface Job {
  batch: Batch;
  resolve: (result: AppendResult) => void;
  reject: (error: unknown) => void;
}

/** What writing needs. */
export interface Writer {
  connection: DuckDBConnection;
  ledger: Ledger;
  /** How many requests were stored since the database was created. */
  requests: number;
  note: Note | null;
  evidence: Evidence;
  /** Epoch milliseconds. */
  now: () => number;
  mayBegin: (sender: string | undefined) => MayBegin;
}

/** Writes several batches at once; when that fails each is written alone, so that a bad one does not affect the others. */
export async function commit(writer: Writer, jobs: readonly Job[]): Promise<void> {
  const { connection, ledger, mayBegin, evidence, now } = writer;
  try {
    const change = emptyChange();
    const fresh = await firstOfEach(connection, jobs);
    const added = new Map(
      fresh.map((job) => {
        const from = change.points.length;
        const { points = [], sender, isTrusted = false } = job.batch;
        const result = addPoints(ledger, change, points, mayBegin(sender));
        return [job, { ...result, said: contributionsOf(change.points.slice(from), isTrusted) }];
      }),
    );
    if (fresh.length > 0) await write(writer, change, fresh);
    apply(ledger, change);
    for (const [{ batch }, { said }] of added) evidence.add(said, batch.sender ?? "", now());
    for (const job of jobs) {
      const { rejected = [], overflowed = 0 } = added.get(job) ?? {};
      job.resolve({ rejected, overflowed, isRepeated: !added.has(job) });
    }
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
