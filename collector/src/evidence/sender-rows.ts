// Keeps what the senders of the day reported, so that a restart does not begin their limits anew: hashes in the database, their key beside it.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { DOUBLE, type DuckDBConnection, DuckDBDataChunk, LIST, listValue, VARCHAR } from "@duckdb/node-api";
import { appendRows } from "../append-rows.js";
import { type Cluster, DAY_MS, type DayKey, type SenderDay, type TakenClusters } from "./sender-day.js";

/**
 * The day's key is not in the database: who copies the database alone has hashes that nothing leads back to addresses, also from pages of the
 * file that DuckDB has not written over yet. It is deleted when the day has ended.
 */
export class SenderFile {
  readonly #path: string | undefined;
  #day = -1;
  #isTold = false;

  /** `path` of the database; undefined for one in memory, of which nothing is kept. */
  constructor(path: string | undefined) {
    this.#path = path && `${path}.day-key`;
  }

  /** Goes on with the day that the last process began; what is of another day is deleted. */
  async restore(connection: DuckDBConnection, senders: SenderDay, now: number): Promise<void> {
    const known = this.#path ? readKey(this.#path) : undefined;
    if (known?.day !== dayOf(now)) {
      await this.#forget(connection);
      return;
    }
    this.#day = known.day;
    const reader = await connection.runAndReadAll("SELECT sender, cell, counts FROM evidence_senders WHERE day = $1", [
      known.day,
    ]);
    senders.restore(known, reader.getRowObjectsJS() as unknown as Cluster[], now);
  }

  /** Writes what has changed, within the transaction that the caller has opened. */
  async write(connection: DuckDBConnection, { day, key, clusters }: TakenClusters): Promise<void> {
    if (day !== this.#day) {
      await connection.run("DELETE FROM evidence_senders");
      this.#day = this.#writeKey({ day, key }) ? day : -1;
    }
    // Without their key hashes could not be used again.
    if (this.#day !== day || clusters.length === 0) return;
    await connection.run(FRESH);
    // By the appender: thousands of lists in JSON take seconds.
    await appendRows(connection, ["fresh_senders", "main", "temp"], clusters, chunkOf);
    await connection.run(
      "DELETE FROM evidence_senders USING temp.fresh_senders AS f WHERE evidence_senders.sender = f.sender AND evidence_senders.cell = f.cell",
    );
    await connection.run("INSERT INTO evidence_senders SELECT $1::INTEGER, * FROM temp.fresh_senders", [day]);
    await connection.run("DROP TABLE temp.fresh_senders");
  }

  /** Deletes what is of a day that has ended, also when nobody has reported since. */
  async forgetBefore(connection: DuckDBConnection, now: number): Promise<void> {
    if (this.#day >= 0 && this.#day < dayOf(now)) await this.#forget(connection);
  }

  async #forget(connection: DuckDBConnection): Promise<void> {
    this.#day = -1;
    if (this.#path) rmSync(this.#path, { force: true });
    await connection.run("DELETE FROM evidence_senders");
  }

  #writeKey(key: DayKey): boolean {
    if (!this.#path) return false;
    try {
      const draft = `${this.#path}.new`;
      writeFileSync(draft, JSON.stringify(key), { mode: 0o600 });
      renameSync(draft, this.#path);
      return true;
    } catch (error) {
      if (!this.#isTold)
        console.error(`${this.#path} cannot be written, so a restart would begin the limits of senders anew:`, error);
      this.#isTold = true;
      return false;
    }
  }
}

const FRESH = "CREATE OR REPLACE TEMP TABLE fresh_senders (sender VARCHAR, cell VARCHAR, counts DOUBLE[])";

function chunkOf(clusters: readonly Cluster[]): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create([VARCHAR, VARCHAR, LIST(DOUBLE)], clusters.length);
  chunk.setColumns([
    clusters.map(({ sender }) => sender),
    clusters.map(({ cell }) => cell),
    clusters.map(({ counts }) => listValue(counts)),
  ]);
  return chunk;
}

const dayOf = (now: number) => Math.floor(now / DAY_MS);

/** Undefined when there is none, or what is there is no key. */
function readKey(path: string): DayKey | undefined {
  try {
    const { day, key } = JSON.parse(readFileSync(path, "utf8")) as Partial<DayKey>;
    return Number.isSafeInteger(day) && typeof key === "string" && /^[0-9a-f]{64}$/.test(key)
      ? { day: day as number, key }
      : undefined;
  } catch {
    return undefined;
  }
}
