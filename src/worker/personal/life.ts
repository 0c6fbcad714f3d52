// What a write must find unchanged when it commits: otherwise something was erased since it began, and must stay erased.
import { InsituError } from "../../shared/errors.js";
import type { ModelRow } from "./database.js";

/** Of a personal model, from its first write until it is forgotten. Read at the begin of a write. */
export interface Life {
  id: string;
  /** Of the key at that time; empty where there was none. */
  keyId: string;
  removals: number;
  classRemovals: number;
  /** How often this worker had forgotten the model. */
  forgets: number;
}

/**
 * What concerns a write besides forgetting all. `classes`: a new example, which no removal by id can mean. `removals`: an import, which may
 * hold what was removed. `nothing`: what looks for its own example.
 */
export type ErasureScope = "removals" | "classes" | "nothing";

export function lifeOf(row: ModelRow, forgets: number): Life {
  const { keyId, life = keyId, removals = 0, classRemovals = 0 } = row;
  return { id: life, keyId, removals, classRemovals, forgets };
}

export function assertNothingErased(name: string, row: ModelRow, life: Life, scope: ErasureScope): void {
  const { removals, classRemovals } = lifeOf(row, 0);
  const isErased =
    (scope === "removals" && removals !== life.removals) ||
    (scope === "classes" && classRemovals !== life.classRemovals);
  if (isErased) throw erasedError(name, "removed");
}

/** The error of a write that began before an erase. */
export function erasedError(name: string, reason: "forgotten" | "removed"): InsituError {
  const what =
    reason === "forgotten" ? `The personal model ${name} was` : `Examples of the personal model ${name} were`;
  const message = `${what} ${reason} while this was under way, in this tab or another one, so that nothing was stored. Call it again, if it is still wanted.`;
  return new InsituError("disposed", message, { reason });
}
