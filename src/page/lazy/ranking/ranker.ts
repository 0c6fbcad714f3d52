// A ranker as the page holds it: items in, an order out, and events that are learned from at once and stored.

import type { Table } from "../../lib/idb-table.js";
import { createEventLog, type EventRow, eventTable, MAX_EVENTS, sortEvents } from "./event-log.js";
import { createEventModel, eventModelOf, type LearnedEvent, learn } from "./event-model.js";
import { checkEvent, dwellOf, fromFile, toFile } from "./export-file.js";
import {
  checkItems,
  checkScores,
  createItemIndex,
  type ItemIndex,
  joinFeatures,
  rankItems,
  traitsOf,
} from "./item-index.js";
import { factorOf } from "./posterior.js";
import type { Refuse } from "./refuse.js";
import { catchUp, inSlices, nextTask, replay } from "./replay.js";
import { openTabChannel } from "./tab-channel.js";
import type { PersonalRanker, RankingEvent, RankingItem, RankingOptions } from "./types.js";

// One file in dist/ for all of the room.
export { forgetRankers, listRankers, type StoredRanker } from "./all-rankers.js";

export interface RankerDeps {
  name: string;
  /** The base model's name: what was learned over one model's scores is not another's. */
  model: string;
  /** Of the client's database; the rankers' has a name of its own beside it. */
  storeName: string;
  /** One score a row; the rows are joined. */
  score(features: Float32Array, count: number, signal?: AbortSignal): Promise<Float32Array>;
  refuse: Refuse;
  options?: RankingOptions;
  now?: () => number;
  /** From 0 to 1, for exploration. */
  random?: () => number;
  /** Where events are kept. Default: a database of its own in this browser. */
  table?: Table<EventRow>;
  /** Told of what was recorded: kinds, never items. */
  onEvent?: (kind: RankingEvent["kind"]) => void;
  /** Throws where nothing may be learned. */
  mayLearn?: () => void;
}

const DAY_MS = 24 * 3600 * 1000;
const EMPTY: ItemIndex = createItemIndex([], new Float32Array(0), 1);

export interface OpenRankerDeps extends Omit<RankerDeps, "score"> {
  /** The base model's: one call is a list of candidates. */
  predict(input: Float32Array, options: { signal?: AbortSignal }): Promise<{ value: unknown }>;
}

/** A ranker whose items the base model scores. */
export function openRanker({ predict, ...parts }: OpenRankerDeps): Promise<PersonalRanker> {
  return createRanker({
    ...parts,
    async score(features, count, signal) {
      const { value } = await predict(features, { signal });
      // What the model leaves out is no score, and is told.
      const scores = new Float32Array(count).fill(Number.NaN);
      for (const { index, score } of value as { index: number; score: number }[]) scores[index] = score;
      return scores;
    },
  });
}

/** Resolves once what was learned before is known again. */
export async function createRanker(parts: RankerDeps): Promise<PersonalRanker> {
  const { name, model, storeName, now = Date.now, random = Math.random } = parts;
  const refuse: Refuse = parts.refuse;
  const learning = eventModelOf(parts.options ?? {}, refuse);
  const minItems = parts.options?.minItems ?? 3;
  const visit = randomHex(8);
  const log = createEventLog(parts.table ?? eventTable(storeName), model, name);
  let rows = new Map<string, EventRow>();
  let learned: LearnedEvent = createEventModel();
  let factor = factorOf(learned.posterior);
  let shelf = EMPTY;
  let filling = 0;
  /** Counts what makes a replay that runs worthless. */
  let turn = 0;
  let order = 0;
  let disposed = false;

  const need = () => {
    if (disposed) refuse("disposed", `The ranker ${name} was disposed.`);
  };

  /** Learns from rows that are newer than all that is known; answers those that need not be kept. */
  const take = (added: EventRow[]): string[] => {
    const gone: string[] = [];
    for (const row of added) {
      rows.set(row.id, row);
      for (const id of learn(learned, row, learning)) if (rows.delete(id)) gone.push(id);
    }
    if (rows.size > MAX_EVENTS) {
      for (const { id } of sortEvents(rows.values()).slice(0, -MAX_EVENTS)) if (rows.delete(id)) gone.push(id);
    }
    factor = factorOf(learned.posterior);
    return gone;
  };

  /** Learns all rows again; what is recorded meanwhile comes last, as it did, and what is removed meanwhile stays removed. */
  const relearn = async (all: EventRow[]) => {
    turn += 1;
    const mine = turn;
    const before = new Set(rows.keys());
    const again = await inSlices(replay(sortEvents(all), visit, learning));
    if (mine !== turn) return;
    // A page is not open for longer than a day.
    const idle = new Set(again.idle.filter(({ time }) => now() - time > DAY_MS).map(({ id }) => id));
    if (idle.size > 0) void log.write([], idle).catch(() => undefined);
    const stays = all.filter(({ id }) => !idle.has(id) && (rows.has(id) || !before.has(id)));
    const known = new Set(all.map(({ id }) => id));
    const later = [...rows.values()].filter(({ id }) => !known.has(id));
    rows = new Map(stays.map((row) => [row.id, row]));
    learned = catchUp(again.learned, now(), learning);
    take(sortEvents(later));
  };

  const reset = () => {
    turn += 1;
    rows.clear();
    learned = createEventModel();
    factor = factorOf(learned.posterior);
  };

  const tabs = openTabChannel(`${storeName}-ranking`, model, name, {
    recorded: (added) => void take(added.filter(({ id }) => !rows.has(id))),
    forgotten: reset,
    imported: () => void log.read().then(relearn),
  });

  const rowOf = (event: RankingEvent, time: number): EventRow => {
    checkEvent(event, refuse);
    const index = shelf.places.get(event.item);
    if (index === undefined) {
      const message = `No item has the id ${JSON.stringify(event.item)}; pass it to setItems before recording what was done with it.`;
      refuse("input_invalid", message, { item: event.item });
    }
    const { kind, item, position } = event;
    order += 1;
    return {
      ...{ id: randomHex(16), model, name, kind, item, traits: traitsOf(shelf, index) },
      ...{ base: shelf.base[index] as number, position, time, visit, order },
      ...(kind === "dwelled" && { ms: dwellOf(event.durationMs as number) }),
    };
  };

  await relearn(await log.read());

  return {
    name,
    async setItems(items: RankingItem[], options = {}) {
      need();
      filling += 1;
      const mine = filling;
      checkItems(items, refuse);
      const stopped = () => {
        if (options.signal?.aborted)
          refuse("aborted", `Scoring ${items.length} items was stopped.`, {}, { cause: options.signal.reason });
      };
      stopped();
      const scores =
        items.length === 0 ? new Float32Array(0) : await parts.score(joinFeatures(items), items.length, options.signal);
      stopped();
      checkScores(scores, items.length, refuse);
      // A later call, which may have ended first, knows better.
      if (mine !== filling) return;
      shelf = createItemIndex(items, scores, minItems);
      // What the caller does next with so many items is a task of its own.
      await nextTask();
    },
    rank(options = {}) {
      need();
      return rankItems(shelf, learned.posterior, factor, random, options);
    },
    async recordEvents(events) {
      need();
      parts.mayLearn?.();
      const time = now();
      const added = (Array.isArray(events) ? events : [events]).map((event) => rowOf(event, time));
      const gone = take(added);
      const kept = added.filter(({ id }) => rows.has(id));
      tabs.recorded(kept);
      for (const { kind } of added) parts.onEvent?.(kind);
      await log.write(kept, gone);
    },
    tastes() {
      const { slots, means, covariance, stride } = learned.posterior;
      return [...slots]
        .filter(([trait]) => !trait.startsWith("\n"))
        .map(([trait, slot]) => ({
          ...{ trait, weight: means[slot] as number },
          deviation: Math.sqrt(Math.max(0, covariance[slot * stride + slot] as number)),
        }))
        .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
    },
    events: () => rows.size,
    export: async () => toFile(model, sortEvents(rows.values())),
    async import(file) {
      need();
      parts.mayLearn?.();
      const given = await fromFile(file, { model, name, now: now() }, refuse);
      const fresh = given.filter(({ id }) => !rows.has(id));
      if (fresh.length > 0) {
        const all = sortEvents([...rows.values(), ...fresh]);
        const kept = new Set(all.slice(-MAX_EVENTS));
        await log.write(
          fresh.filter((row) => kept.has(row)),
          all.filter((row) => !kept.has(row)).map(({ id }) => id),
        );
        await relearn([...kept]);
        tabs.imported();
      }
      return { events: fresh.length, known: given.length - fresh.length };
    },
    async forget() {
      reset();
      tabs.forgotten();
      await log.clear();
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };

  async function dispose() {
    disposed = true;
    tabs.close();
  }
}

function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
