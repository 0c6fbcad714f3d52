// What a ranker is opened with, and what its methods share.
import type { Table } from "../../lib/idb-table.js";
import type { EventLog, TableRow } from "./event-log.js";
import type { ItemIndex } from "./item-index.js";
import type { Learner } from "./learner.js";
import type { TabChannel } from "./tab-channel.js";
import type { RankingOptions } from "./types.js";

export interface RankerDeps {
  name: string;
  /** The base model's name: what was learned on one model's scores does not apply to another's. */
  model: string;
  /** Name of the client's database; the rankers' own is named after it. */
  storeName: string;
  /** Scores the rows of `features`, which are joined: one score for each. */
  score(features: Float32Array, count: number, signal?: AbortSignal): Promise<Float32Array>;
  options?: RankingOptions;
  /** Epoch milliseconds; default `Date.now`. */
  now?: () => number;
  /** From 0 to 1, for exploration; default `Math.random`. */
  random?: () => number;
  /** Where events are stored; default: a database of its own in this browser. */
  table?: Table<TableRow>;
  /** Throws `consent_denied` where the user denied consent. */
  assertConsent?: () => void;
}

/** What the methods of one ranker share. */
export interface RankerState {
  deps: RankerDeps;
  log: EventLog;
  learner: Learner;
  tabs: TabChannel;
  visit: string;
  now: () => number;
  items: ItemIndex;
  /** Throws `disposed`. */
  assertOpen(): void;
  /** How often everything was forgotten, by this page or another one. */
  erased(): number;
}
