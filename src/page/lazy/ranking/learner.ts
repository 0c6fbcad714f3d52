// What a ranker has learned: the events that it knows, and the posterior that follows from them.
import { type EventLog, type EventRow, MAX_EVENTS, sortEvents } from "./event-log.js";
import { createEventModel, type EventModel, type LearnedEvents, learn } from "./event-model.js";
import { factorOf, type Posterior } from "./posterior.js";
import { catchUp, inSlices, replay } from "./replay.js";

export interface Learner {
  /** The known events by their id. */
  rows(): ReadonlyMap<string, EventRow>;
  posterior(): Posterior;
  /** The posterior's Cholesky factor, to draw from it. */
  factor(): Float64Array;
  /** Learns from events that are newer than all that are known. Returns the ids of those that need not be stored any longer. */
  add(rows: EventRow[]): string[];
  /**
   * Learns from all of `rows` again. Events that are added in the meantime come last, and those that are removed in the meantime stay
   * removed.
   */
  relearn(rows: EventRow[]): Promise<void>;
  reset(): void;
}

export interface LearnerDeps {
  log: EventLog;
  /** Identifies this page among those that recorded events. */
  visit: string;
  model: EventModel;
  now(): number;
}

const DAY_MS = 24 * 3600 * 1000;

export function createLearner({ log, visit, model, now }: LearnerDeps): Learner {
  let rows = new Map<string, EventRow>();
  let learned: LearnedEvents = createEventModel();
  let factor = factorOf(learned.posterior);
  /** Counts what makes the result of a running replay useless. */
  let generation = 0;

  const add = (added: EventRow[]): string[] => {
    const useless: string[] = [];
    const drop = (id: string) => rows.delete(id) && useless.push(id);
    for (const row of added) {
      rows.set(row.id, row);
      for (const id of learn(learned, row, model)) drop(id);
    }
    if (rows.size > MAX_EVENTS) for (const { id } of sortEvents(rows.values()).slice(0, -MAX_EVENTS)) drop(id);
    factor = factorOf(learned.posterior);
    return useless;
  };

  return {
    rows: () => rows,
    posterior: () => learned.posterior,
    factor: () => factor,
    add,
    async relearn(all) {
      generation += 1;
      const mine = generation;
      const before = new Set(rows.keys());
      const result = await inSlices(replay(sortEvents(all), visit, model));
      if (mine !== generation) return;
      // No page stays open for longer than a day.
      const idle = new Set(result.idle.filter(({ time }) => now() - time > DAY_MS).map(({ id }) => id));
      if (idle.size > 0) void log.write([], idle).catch(() => undefined);
      const stays = all.filter(({ id }) => !idle.has(id) && (rows.has(id) || !before.has(id)));
      const known = new Set(all.map(({ id }) => id));
      const later = [...rows.values()].filter(({ id }) => !known.has(id));
      rows = new Map(stays.map((row) => [row.id, row]));
      learned = catchUp(result.learned, now(), model);
      add(sortEvents(later));
    },
    reset() {
      generation += 1;
      rows.clear();
      learned = createEventModel();
      factor = factorOf(learned.posterior);
    },
  };
}
