// What was recorded, learned again from the first row to the last, in pieces that a page does not notice.

import type { EventRow } from "./event-log.js";
import { createEventModel, type EventModel, elapse, type LearnedEvent, learn, settle } from "./event-model.js";

// A frame is 16 ms, and the page has work of its own in it.
const SLICE_MS = 8;

export interface ReplayStep {
  learned: LearnedEvent;
  /** Of pages that are gone, what they showed last before anything was done; a page that is open still may yet learn from its own. */
  idle: EventRow[];
}

/**
 * `rows` are in order. A page that recorded its last event is gone, but for `visit`, which is this one: what it showed and was not clicked
 * was passed over then.
 */
export function* replay(rows: EventRow[], visit: string, learning: EventModel): Generator<void, ReplayStep, void> {
  const learned = createEventModel();
  const idle: EventRow[] = [];
  const last = new Map(rows.map((row, index) => [row.visit, index]));
  for (const [index, row] of rows.entries()) {
    learn(learned, row, learning);
    if (row.visit !== visit && last.get(row.visit) === index) idle.push(...leave(learned, row.visit, learning));
    yield;
  }
  return { learned, idle };
}

/** The end of a visit; answers what it showed and never got to be evidence. */
function leave(learned: LearnedEvent, visit: string, learning: EventModel): EventRow[] {
  const list = learned.lists.get(visit);
  if (list?.acted) settle(learned, visit, learning);
  learned.lists.delete(visit);
  return list && !list.acted ? [...list.open.values()].filter(({ id }) => id !== list.first) : [];
}

/** Runs `work` to its end; between two pieces the page gets its turn. */
export async function inSlices<T>(work: Generator<void, T, void>, slice = SLICE_MS): Promise<T> {
  let until = performance.now() + slice;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < until) continue;
    await nextTask();
    until = performance.now() + slice;
  }
}

/** Lets the page have its turn. A message is not held back in a hidden page, as a timer is. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Brings what was learned up to now. */
export function catchUp(learned: LearnedEvent, now: number, learning: EventModel): LearnedEvent {
  if (learned.posterior.slots.size > 0) elapse(learned, now, learning);
  return learned;
}
