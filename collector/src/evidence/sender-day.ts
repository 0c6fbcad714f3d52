// What each sender of the day has reported, under a keyed hash of its address that nobody can follow into another day.
import { createHmac, randomBytes } from "node:crypto";

export const DAY_MS = 24 * 3_600_000;

/** Senders of a day, in each cell: some 20 MB. What more of them report is not counted, which can only delay a decision. */
const MAX_CLUSTERS = 60_000;

/** What one sender reported today in one cell. */
export interface Cluster {
  sender: string;
  cell: string;
  counts: number[];
}

/** The day's number since 1970, and its key as hex. */
export interface DayKey {
  day: number;
  key: string;
}

/** Clusters to write, and what to call when they are in the database. */
export interface TakenClusters extends DayKey {
  clusters: Cluster[];
  written(): void;
}

export class SenderDay {
  #day = -1;
  #key = Buffer.alloc(0);
  /** By sender and cell. */
  readonly #clusters = new Map<string, number[]>();
  readonly #changed = new Set<string>();

  /** Begins another day with another key when one has come, and forgets everything of the one before. */
  start(now: number): void {
    const day = Math.floor(now / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#key = randomBytes(32);
    this.#clusters.clear();
    this.#changed.clear();
  }

  /** Goes on with a day that another process began. Of one that has ended nothing is taken, and nothing where this one knows more. */
  restore({ day, key }: DayKey, clusters: readonly Cluster[], now: number): void {
    if (day !== Math.floor(now / DAY_MS) || this.#day >= 0) return;
    this.#day = day;
    this.#key = Buffer.from(key, "hex");
    for (const { sender, cell, counts } of clusters) this.#clusters.set(`${sender} ${cell}`, counts);
  }

  hashOf(sender: string): string {
    return createHmac("sha256", this.#key).update(sender).digest("base64url").slice(0, 22);
  }

  /** Undefined: nothing yet. Null: there is no place for another one. */
  get(sender: string, cell: string): number[] | undefined | null {
    return this.#clusters.get(`${sender} ${cell}`) ?? (this.#clusters.size >= MAX_CLUSTERS ? null : undefined);
  }

  set(sender: string, cell: string, counts: number[]): void {
    const key = `${sender} ${cell}`;
    this.#clusters.set(key, counts);
    this.#changed.add(key);
  }

  /** What has changed since it was written. Undefined before the first report. */
  take(): TakenClusters | undefined {
    if (this.#day < 0) return undefined;
    const taken = [...this.#changed].map((key) => ({ key, counts: this.#clusters.get(key) as number[] }));
    return {
      day: this.#day,
      key: this.#key.toString("hex"),
      clusters: taken.map(({ key, counts }) => {
        const end = key.indexOf(" ");
        return { sender: key.slice(0, end), cell: key.slice(end + 1), counts };
      }),
      written: () => {
        for (const { key, counts } of taken) if (this.#clusters.get(key) === counts) this.#changed.delete(key);
      },
    };
  }
}
