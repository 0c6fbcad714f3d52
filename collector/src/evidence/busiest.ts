// Chooses which models are looked at without being asked for: strangers can invent any number of names; pure.
import type { SeenCell } from "./rows.js";

const MAX_MODELS = 50;
/** As many senders and days as a judgement needs. */
const MIN_SENDERS = 10;

/** The models with most senders in the last days, of the cells that are wanted. */
export function busiestModels(cells: readonly SeenCell[], isWanted: (cell: SeenCell) => boolean): string[] {
  const senders = new Map<string, number>();
  for (const one of cells) {
    if (!isWanted(one)) continue;
    const { model } = one.cell;
    senders.set(model, Math.max(senders.get(model) ?? 0, one.recent));
  }
  return [...senders]
    .filter(([, count]) => count >= MIN_SENDERS)
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_MODELS)
    .map(([model]) => model);
}
