// Adds the events of a file to those of a ranker, unless events are erased meanwhile.
import { InsituError } from "../../../shared/errors.js";
import { type EventRow, MAX_EVENTS, sortEvents } from "./event-log.js";
import { fromFile } from "./export-file.js";
import type { RankerState } from "./ranker-state.js";

export async function importFile(state: RankerState, file: Blob): Promise<{ events: number; known: number }> {
  const { assertOpen, deps, erased, learner, log, now, tabs } = state;
  const { model, name } = deps;
  assertOpen();
  deps.assertConsent?.();
  const begun = erased();
  const write = log.beginImport(now());
  const imported = await fromFile(file, { model, name, now: now() }).catch(async (error: unknown) => {
    // The mark goes.
    await write([], []);
    throw error;
  });
  const known = learner.rows();
  const fresh = imported.filter(({ id }) => !known.has(id));
  if (fresh.length === 0) await write([], []);
  else {
    const all = sortEvents([...known.values(), ...fresh]);
    const kept = new Set(all.slice(-MAX_EVENTS));
    const isKept = (row: EventRow) => kept.has(row);
    const removed = all.filter((row) => !isKept(row)).map(({ id }) => id);
    if (!(await write(fresh.filter(isKept), removed)) || begun !== erased()) {
      const message = `Nothing was imported: the events of ${name} were erased meanwhile. Import the file again, if it is still wanted.`;
      throw new InsituError("disposed", message, { reason: "forgotten" });
    }
    await learner.relearn([...kept]);
    tabs.imported();
  }
  return { events: fresh.length, known: imported.length - fresh.length };
}
