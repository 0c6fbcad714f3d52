// Finds which version is the control, which one the candidate, and since when both run; pure.
import type { SeenCell } from "../evidence/rows.js";
import type { PublishedChannel } from "./channels.js";

export interface Roles {
  control: { version: string; arm: string };
  candidate: { version: string; arm: string } | null;
  /** Epoch milliseconds: data from before count for neither. */
  since: number;
  /** Whether a channel says so; else it is read from the data, and `since` moves as old data are deleted. */
  isPublished: boolean;
}

/** From the published channel, newest first: since the first release of those in a row that have the same two versions. */
export function rolesOfChannel(versions: readonly PublishedChannel[]): Roles | null {
  const [newest] = versions;
  if (!newest) return null;
  const pair = (channel: PublishedChannel) => {
    const version = (role: string) => channel.arms.find((arm) => arm.role === role)?.version;
    const canary = version("canary");
    const other = canary ?? version("shadow");
    return { stable: version("stable") ?? "", other, arm: canary === undefined ? "shadow" : "canary" };
  };
  const now = pair(newest);
  let since = newest.at;
  for (const one of versions) {
    const { stable, other, arm } = pair(one);
    if (stable !== now.stable || other !== now.other || arm !== now.arm) break;
    since = one.at;
  }
  return {
    control: { version: now.stable, arm: "stable" },
    candidate: now.other === undefined ? null : { version: now.other, arm: now.arm },
    since,
    isPublished: true,
  };
}

/**
 * From what is reported, where the channel is elsewhere: of each role the version that most senders reported about in the last days, so that
 * one sender who invents a version changes nothing.
 */
export function rolesOfCells(cells: readonly SeenCell[]): Roles | null {
  const most = (arm: string) => {
    const versions = new Map<string, { recent: number; first: number }>();
    for (const { cell, recent, first } of cells) {
      if (cell.arm !== arm || !["runs", "outcomes", "shadow"].includes(cell.subject)) continue;
      const known = versions.get(cell.version) ?? { recent: 0, first };
      versions.set(cell.version, { recent: known.recent + recent, first: Math.min(known.first, first) });
    }
    return [...versions]
      .map(([version, figures]) => ({ version, arm, ...figures }))
      .sort((a, b) => b.recent - a.recent || b.first - a.first)
      .find(({ recent }) => recent > 0);
  };
  const control = most("stable");
  const other = most("canary") ?? most("shadow");
  if (!control && !other) return null;
  const candidate = other && { version: other.version, arm: other.arm };
  return {
    control: { version: control?.version ?? "", arm: "stable" },
    candidate: candidate ?? null,
    since: other?.first ?? control?.first ?? 0,
    isPublished: false,
  };
}
