// A ranker in the page: it scores items, orders them, and learns from events at once while they are stored.
import { InsituError } from "../../../shared/errors.js";
import { randomHex } from "../../../shared/hex.js";
import { nextTask } from "../../../shared/next-task.js";
import { createEventLog, type EventRow, eventTable, sortEvents } from "./event-log.js";
import { eventModelOf } from "./event-model.js";
import { checkEvent, MAX_DWELL_MS, toFile } from "./export-file.js";
import { importFile } from "./import-file.js";
import { checkItems, checkScores, createItemIndex, type ItemIndex, joinFeatures, traitsOf } from "./item-index.js";
import { createLearner } from "./learner.js";
import type { Posterior } from "./posterior.js";
import { rankItems } from "./rank-items.js";
import type { RankerDeps, RankerState } from "./ranker-state.js";
import { openTabChannel } from "./tab-channel.js";
import type { PersonalRanker, RankingEvent, RankingItem, RecordedEvent, TraitWeight } from "./types.js";

// One file of dist for the whole folder.
export { forgetRankers, listRankers } from "./all-rankers.js";

const NO_ITEMS: ItemIndex = createItemIndex([], new Float32Array(0), 1);

export interface OpenRankerDeps extends Omit<RankerDeps, "score"> {
  /** The base model's `predict`: one call scores a list of items. */
  predict(input: Float32Array, options: { signal?: AbortSignal }): Promise<{ value: unknown }>;
}

/** A ranker whose items are scored by the base model. */
export function openRanker({ predict, ...deps }: OpenRankerDeps): Promise<PersonalRanker> {
  return createRanker({
    ...deps,
    async score(features, count, signal) {
      const { value } = await predict(features, { signal });
      // An item that the model leaves out has no score, which is reported.
      const scores = new Float32Array(count).fill(Number.NaN);
      for (const { index, score } of value as { index: number; score: number }[]) scores[index] = score;
      return scores;
    },
  });
}

/** Resolves once the stored events have been learned from. */
export async function createRanker(deps: RankerDeps): Promise<PersonalRanker> {
  const { name, model, storeName, now = Date.now, random = Math.random, options = {} } = deps;
  const visit = randomHex(8);
  const log = createEventLog(deps.table ?? eventTable(storeName), model, name);
  const learner = createLearner({ log, visit, model: eventModelOf(options), now });
  const tabs = openTabChannel(`${storeName}-ranking`, model, name, {
    recorded: (rows) => void learner.add(rows.filter(({ id }) => !learner.rows().has(id))),
    // What another tab has recorded since is learned again.
    forgotten: () => void memory.erase().then(memory.read),
    imported: () => void memory.read(),
  });
  const memory = createMemory(log, learner);
  let disposed = false;
  const assertOpen = () => {
    if (!disposed) return;
    throw new InsituError("disposed", `The ranker ${name} was disposed; call model.personalize again.`);
  };
  const { erased } = memory;
  const state: RankerState = { deps, log, learner, tabs, visit, now, items: NO_ITEMS, assertOpen, erased };
  await memory.read();

  const dispose = async () => {
    disposed = true;
    tabs.close();
  };
  return {
    name,
    setItems: createSetItems(state),
    rank(options) {
      assertOpen();
      const basis = { posterior: learner.posterior(), factor: learner.factor(), random };
      return rankItems(state.items, basis, options ?? {});
    },
    recordEvents: createRecordEvents(state),
    tastes() {
      assertOpen();
      return tastesOf(learner.posterior());
    },
    async events() {
      assertOpen();
      return sortEvents(learner.rows().values()).map(toRecordedEvent);
    },
    async export() {
      assertOpen();
      return toFile(model, sortEvents(learner.rows().values()));
    },
    import: (file) => importFile(state, file),
    async forget() {
      await memory.erase();
      await log.clear();
      tabs.forgotten();
      // What arrived meanwhile may be of before.
      await memory.erase();
      await memory.read();
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Learns what is stored, and counts erases: what was read before one is not learned after it. */
function createMemory(log: RankerState["log"], learner: RankerState["learner"]) {
  let erasures = 0;
  return {
    erased: () => erasures,
    async read() {
      const begun = erasures;
      const rows = await log.read();
      if (begun === erasures) await learner.relearn(rows);
    },
    async erase() {
      erasures += 1;
      learner.reset();
    },
  };
}

function createSetItems(state: RankerState): PersonalRanker["setItems"] {
  const { assertOpen, deps } = state;
  let calls = 0;
  return async (items: RankingItem[], options) => {
    const { signal } = options ?? {};
    assertOpen();
    calls += 1;
    const call = calls;
    const assertNotAborted = () => {
      if (!signal?.aborted) return;
      throw new InsituError("aborted", "Scoring the items was aborted.", {}, { cause: signal.reason });
    };
    checkItems(items);
    assertNotAborted();
    const scores =
      items.length === 0 ? new Float32Array(0) : await deps.score(joinFeatures(items), items.length, signal);
    assertNotAborted();
    checkScores(scores, items.length);
    // A later call may have ended first, and has the newer items.
    if (call !== calls) return;
    state.items = createItemIndex(items, scores, deps.options?.minItems ?? 3);
    // Thousands of items took a while: what the caller does next is a task of its own.
    await nextTask();
  };
}

function createRecordEvents(state: RankerState): PersonalRanker["recordEvents"] {
  const { assertOpen, deps, learner, log, now, tabs, visit } = state;
  const { model, name } = deps;
  let order = 0;
  const toRow = (event: RankingEvent, time: number): EventRow => {
    checkEvent(event);
    const { kind, item, position, durationMs = 0 } = event;
    const index = state.items.indices.get(item);
    if (index === undefined) {
      const message = `The event was not recorded: no item has the id ${JSON.stringify(item)}. Pass the item to setItems first.`;
      throw new InsituError("input_invalid", message, { item });
    }
    order += 1;
    const traits = traitsOf(state.items, index);
    const base = state.items.base[index] as number;
    const row: EventRow = { id: randomHex(), model, name, kind, item, traits, base, position, time, visit, order };
    // A page that was left open must not count as hours of interest.
    return kind === "dwelled" ? { ...row, ms: Math.min(durationMs, MAX_DWELL_MS) } : row;
  };
  return async (events) => {
    assertOpen();
    deps.assertConsent?.();
    const time = now();
    const added = (Array.isArray(events) ? events : [events]).map((event) => toRow(event, time));
    const useless = learner.add(added);
    const kept = added.filter(({ id }) => learner.rows().has(id));
    tabs.recorded(kept);
    await log.write(kept, useless);
  };
}

function toRecordedEvent({ id, kind, item, position, traits, time, ms }: EventRow): RecordedEvent {
  const event = { id, kind, item, position, traits: [...traits], recordedAt: time };
  return ms === undefined ? event : { ...event, durationMs: ms };
}

function tastesOf({ slots, means, covariance, stride }: Posterior): TraitWeight[] {
  return [...slots]
    .filter(([trait]) => !trait.startsWith("\n"))
    .map(([trait, slot]) => ({
      trait,
      weight: means[slot] as number,
      deviation: Math.sqrt(Math.max(0, covariance[slot * stride + slot] as number)),
    }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}
