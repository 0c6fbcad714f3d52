// Learns from all stored events again, in slices between which the page stays responsive.
import { nextTask } from "../../../shared/next-task.js";
import type { EventRow } from "./event-log.js";
import { createEventModel, type EventModel, elapse, type LearnedEvents, learn, settle } from "./event-model.js";

// A frame lasts 16 ms, and the page needs part of it.
const SLICE_MS = 8;

export interface ReplayResult {
  learned: LearnedEvents;
  /** Events that will never be evidence: what pages showed last, if nothing was clicked. A page that is still open may need its own. */
  idle: EventRow[];
}

/**
 * `rows` must be sorted. After a page's last event it counts as closed, and what it showed as passed over; except for this page, `visit`.
 */
export function* replay(rows: EventRow[], visit: string, model: EventModel): Generator<void, ReplayResult, void> {
  const learned = createEventModel();
  const idle: EventRow[] = [];
  const lastIndices = new Map(rows.map((row, index) => [row.visit, index]));
  for (const [index, row] of rows.entries()) {
    learn(learned, row, model);
    if (row.visit !== visit && lastIndices.get(row.visit) === index) idle.push(...endVisit(learned, row.visit, model));
    yield;
  }
  return { learned, idle };
}

/** Returns the events of the visit that will never be evidence. */
function endVisit(learned: LearnedEvents, visit: string, model: EventModel): EventRow[] {
  const list = learned.lists.get(visit);
  if (list?.acted) settle(learned, visit, model);
  learned.lists.delete(visit);
  return list && !list.acted ? [...list.open.values()].filter(({ id }) => id !== list.first) : [];
}

/** Runs `work` to its end in slices of `sliceMs` milliseconds; between two slices other tasks of the page run. */
export async function inSlices<T>(work: Generator<void, T, void>, sliceMs = SLICE_MS): Promise<T> {
  let until = performance.now() + sliceMs;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < until) continue;
    await nextTask();
    until = performance.now() + sliceMs;
  }
}

/** Decays what was learned up to now. */
export function catchUp(learned: LearnedEvents, now: number, model: EventModel): LearnedEvents {
  if (learned.posterior.slots.size > 0) elapse(learned, now, model);
  return learned;
}
