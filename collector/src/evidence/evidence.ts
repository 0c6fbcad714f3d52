// Adds up what senders report about versions, hour by hour, with a limit for each sender, until it is written to the database.
import { randomBytes } from "node:crypto";
import type { Contribution } from "./contributions.js";
import { addIndependent, emptyMoments, growCluster, type Moments, toSums } from "./moments.js";
import { SenderDay, type TakenClusters } from "./sender-day.js";
import { emptySpread, growSpread, type Spread, spreadToSums } from "./spread.js";
import { type Cell, cellKey, SUBJECTS, type Subject } from "./subjects.js";
import { thin } from "./thin.js";

export const HOUR_MS = 3_600_000;

/**
 * Cells of one hour. A site has some dozens: a model, its versions and arms, each with up to 16 features. Of these one sender begins as many as
 * one page with three versions can have.
 */
const MAX_CELLS = 2_000;
const MAX_CELLS_OF_SENDER = 150;

/** The sums of one hour and cell. */
export interface EvidenceRow {
  cell: Cell;
  /** Epoch milliseconds at which the hour began. */
  hour: number;
  sums: number[];
}

interface Sums {
  cell: Cell;
  hour: number;
  moments?: Moments;
  spread?: Spread;
  /** Counts the changes, and up to which one they are in the database. */
  changes: number;
  written: number;
}

/** Rows to write, each with all of its hour, and what to call when they are in the database. */
export interface TakenEvidence {
  rows: EvidenceRow[];
  senders: TakenClusters | undefined;
  written(): void;
}

export class Evidence {
  /** Rows of another process, or from before a restart, are never written again by this one. */
  readonly part = randomBytes(6).readUIntBE(0, 6);
  #hour = -1;
  /** What each sender reported today in each cell. */
  readonly senders = new SenderDay();
  /** How many cells each sender began in this hour. */
  readonly #begun = new Map<string, number>();
  readonly #sums = new Map<string, Sums>();

  /**
   * Adds what a batch holds. `sender` is an address as `senderOf` names it. It is kept as a keyed hash, with another key each day: nobody can be
   * followed by it.
   */
  add(contributions: readonly Contribution[], sender: string, now: number): void {
    if (contributions.length === 0) return;
    const hour = this.#startHour(now);
    const hash = this.senders.hashOf(sender);
    for (const { cell, counts } of contributions) {
      const key = cellKey(cell);
      const grown = cell.trusted ? null : grow(this.senders.get(hash, key), counts, SUBJECTS[cell.subject]);
      if (!grown && !cell.trusted) continue;
      const sums = this.#sumsOf(cell, key, hour, hash);
      if (!sums) continue;
      sums.changes += 1;
      if (!grown) {
        if (sums.moments) addIndependent(sums.moments, counts);
        continue;
      }
      if (sums.moments) growCluster(sums.moments, grown.before, grown.after);
      if (sums.spread) growSpread(sums.spread, grown.before, grown.after);
      this.senders.set(hash, key, grown.after);
    }
  }

  /** What has changed since it was written. */
  take(): TakenEvidence {
    const taken = [...this.#sums]
      .filter(([, { changes, written }]) => changes > written)
      .map(([key, sums]) => ({ key, sums, changes: sums.changes }));
    const senders = this.senders.take();
    return {
      senders,
      rows: taken.map(({ sums }) => ({ cell: sums.cell, hour: sums.hour, sums: listOf(sums) })),
      written: () => {
        senders?.written();
        for (const { key, sums, changes } of taken) {
          sums.written = changes;
          if (sums.hour < this.#hour && sums.changes === changes) this.#sums.delete(key);
        }
      },
    };
  }

  /** The start of the hour; forgets what is of the hour and the day before. */
  #startHour(now: number): number {
    const hour = Math.floor(now / HOUR_MS) * HOUR_MS;
    if (hour === this.#hour) return hour;
    this.#hour = hour;
    this.#begun.clear();
    for (const [key, { changes, written }] of this.#sums) if (changes === written) this.#sums.delete(key);
    this.senders.start(now);
    return hour;
  }

  #sumsOf(cell: Cell, key: string, hour: number, sender: string): Sums | undefined {
    const place = `${hour} ${key}`;
    const known = this.#sums.get(place);
    if (known) return known;
    const begun = this.#begun.get(sender) ?? 0;
    if (this.#sums.size >= MAX_CELLS || begun >= MAX_CELLS_OF_SENDER) return undefined;
    this.#begun.set(sender, begun + 1);
    const { size, products } = SUBJECTS[cell.subject] as Subject;
    const empty = products === "all" ? { moments: emptyMoments(size) } : { spread: emptySpread(size) };
    const sums: Sums = { cell, hour, changes: 0, written: 0, ...empty };
    this.#sums.set(place, sums);
    return sums;
  }
}

/** What a sender has reported today, before these counts and after as many of them as it may add; null when that is none. */
function grow(before: readonly number[] | undefined | null, counts: readonly number[], { cap, counted }: Subject) {
  if (before === null) return null;
  const used = (before ?? []).slice(0, counted).reduce((sum, count) => sum + count, 0);
  const taken = thin(counts, counted, cap - used);
  if (!taken) return null;
  return { before, after: before ? before.map((count, i) => count + (taken[i] ?? 0)) : taken };
}

const listOf = ({ moments, spread }: Sums): number[] =>
  moments ? toSums(moments) : spread ? spreadToSums(spread) : [];
