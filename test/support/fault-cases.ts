// Which calls of the platform fail in which ways, and what must hold for each.
import { ERROR_CODES } from "../../src/shared/errors.js";
import type { Attempt, Outcome, Point, Scenario } from "./fault-page.js";
import { answerOf } from "./fault-site.js";

export const SCENARIOS: Scenario[] = ["cold", "update", "warm"];

/**
 * What a load with this fault must come to: `runs`, it resolves; `ends`, it may also reject before its deadline; `hangs`, it
 * may need its deadline.
 */
type Promised = "runs" | "ends" | "hangs";

interface Kind {
  modes: Record<string, Promised>;
  /** What the next load may have to fetch again: a chunk that could not be read, or a version whose manifest seemed altered. */
  loses?: "chunk" | "version";
}

const READS: Kind = { modes: { throw: "runs", error: "runs" } };
const WRITES: Kind = { modes: { throw: "runs", error: "runs", abort: "runs" } };

/** As fault-worker.ts counts them. A store that fails costs no load; a host that fails once is asked again. */
const KINDS: Record<string, Kind> = {
  fetch: { modes: { reject: "runs", http500: "runs", http404: "ends", html: "ends", stall: "ends" } },
  read: { modes: { error: "runs", end: "ends", stall: "ends" } },
  "idb-open": { modes: { throw: "runs", error: "runs", never: "runs", abort: "runs", ended: "runs" } },
  "idb-tx": { modes: { throw: "runs", close: "runs" } },
  "idb-commit": { modes: { quota: "runs", unknown: "runs", lost: "runs" } },
  "idb-get": { ...READS, loses: "chunk" },
  "idb-getAll": READS,
  "idb-getKey": READS,
  "idb-getAllKeys": READS,
  "idb-put": WRITES,
  "idb-delete": WRITES,
  "idb-clear": WRITES,
  // Without files chunks become rows; a file that cannot be read is a chunk that is lost.
  "opfs-root": { modes: { reject: "runs", never: "runs" }, loses: "chunk" },
  "opfs-folder": { modes: { reject: "runs", never: "runs" }, loses: "chunk" },
  "opfs-file": { modes: { reject: "runs", never: "runs" }, loses: "chunk" },
  "opfs-keys": { modes: { throw: "runs" } },
  "opfs-remove": { modes: { reject: "runs", never: "runs" } },
  "opfs-open": { modes: { reject: "runs", never: "runs" }, loses: "chunk" },
  "opfs-get-file": { modes: { reject: "runs", never: "runs" }, loses: "chunk" },
  "opfs-read": { modes: { throw: "runs", short: "runs", alter: "runs" }, loses: "chunk" },
  "opfs-write": { modes: { throw: "runs", quota: "runs", short: "runs" } },
  "opfs-truncate": { modes: { throw: "runs", quota: "runs" } },
  "opfs-close": { modes: { throw: "runs" }, loses: "chunk" },
  blob: { modes: { reject: "runs", alter: "runs" }, loses: "chunk" },
  text: { modes: { reject: "ends" } },
  digest: { modes: { reject: "ends", wrong: "ends" }, loses: "version" },
  lock: { modes: { reject: "runs", never: "hangs" } },
  post: { modes: { throw: "hangs", drop: "hangs" } },
  timer: { modes: { never: "runs", atOnce: "ends" } },
  "clock-date": { modes: { ahead: "runs", back: "runs" } },
  "clock-elapsed": { modes: { ahead: "runs" } },
  // The worker dies after any call that changes something outside of it or waits for it: with an error event, or without one.
  op: { modes: { error: "ends", close: "hangs", stuck: "hangs" } },
};

// Some fifty times what a load takes; on a busy machine it still ends by itself.
const NORMAL_MS = 20_000;
// What hangs is waited for as long: hundreds of times.
const HANGING_MS = 2_500;

const promised = ({ kind, mode }: Point): Promised => KINDS[kind]?.modes[mode] ?? "ends";
export const hangs = (point: Point): boolean => promised(point) === "hangs";

/** Every mode of every call that an undisturbed load made. Throws for a kind without modes: nothing goes untried. */
export function pointsOf(scenario: Scenario, counts: Record<string, number>): Point[] {
  return Object.entries(counts).flatMap(([kind, count]) => {
    const modes = KINDS[kind]?.modes;
    if (!modes) throw new Error(`${kind} has no modes in fault-cases.ts.`);
    return Object.entries(modes).flatMap(([mode, end]) => {
      // Only a database that is made can fail to be made.
      if (kind === "idb-open" && ["abort", "ended"].includes(mode) && scenario !== "cold") return [];
      const timeout = end === "hangs" ? HANGING_MS : NORMAL_MS;
      const points = Array.from({ length: count }, (_, index) => ({ scenario, kind, n: index + 1, mode, timeout }));
      // A worker that closed and one that hangs look the same to the page, and cost seconds: in turns.
      if (kind !== "op" || end !== "hangs") return points;
      return points.filter(({ n }) => (mode === "close") === (n % 2 === 1));
    });
  });
}

export const nameOf = ({ scenario, kind, n, mode }: Point): string => `${scenario}:${kind}:${n}:${mode}`;

/** What broke of the promises; empty when all held. */
export function violations(outcome: Outcome): string[] {
  const { point, faulted, again, before, healthy, refreshed, after, disposed } = outcome;
  const { scenario, kind, timeout } = point;
  const found: string[] = [];
  const either = scenario === "update" ? [1, 2] : [2];
  found.push(...wrong("the broken load", faulted, either));
  if (faulted.error && promised(point) === "runs") found.push(`the broken load rejected: ${told(faulted)}`);
  if (faulted.error?.timeout === timeout && !hangs(point)) found.push("the broken load went on until its deadline");
  if (faulted.untold && !hangs(point)) found.push("the broken load did not tell whether it is stored");
  if (faulted.error && !outcome.fired) found.push(`the broken load rejected before its fault: ${told(faulted)}`);
  if (!disposed) found.push("the broken client could not be disposed of");
  if (again) found.push(...mustRun("the load after it", again, [2]));

  if (scenario !== "cold" && before.packages.length === 0) found.push("nothing is stored after the fault");
  if (!KINDS[kind]?.loses && before.packages.some(({ missing }) => missing > 0))
    found.push("a stored version has lost chunks after the fault");

  found.push(...mustRun("the next visit", healthy, either));
  if (healthy.storeError) found.push(`the next visit could not store: ${healthy.storeError.code}`);
  if (scenario !== "cold" && healthy.source !== "cache" && KINDS[kind]?.loses !== "version")
    found.push(`the next visit loaded from ${healthy.source}`);
  if (refreshed) found.push(...mustRun("the next update", refreshed, [2]));
  if (refreshed?.storeError) found.push(`the next update could not store: ${refreshed.storeError.code}`);

  if (after.packages.some(({ missing }) => missing > 0)) found.push("a stored version lacks chunks in the end");
  if (after.orphans > 0) found.push(`${after.orphans} chunks belong to nothing in the end`);
  const releases = after.packages.map(({ release }) => release).join();
  if (releases !== "2") found.push(`releases ${releases || "none"} are stored in the end`);
  return found;
}

function told({ error }: Attempt): string {
  return `${error?.code ?? error?.name}, ${error?.message}`;
}

function wrong(what: string, attempt: Attempt, releases: number[]): string[] {
  const { error, storeError, hung, release = 0, sum } = attempt;
  if (hung) return [`${what} neither resolved nor rejected`];
  const untyped = [error, storeError].filter(
    (each) => each && !(each.name === "InsituError" && (ERROR_CODES as readonly unknown[]).includes(each.code)),
  );
  if (untyped.length > 0) return untyped.map((each) => `${what} gave ${each?.name} ${each?.code}: ${each?.message}`);
  if (error) return [];
  if (!releases.includes(release)) return [`${what} gave release ${release}`];
  return `${sum}` === `${answerOf(release)}` ? [] : [`${what} predicts ${sum} as release ${release}`];
}

function mustRun(what: string, attempt: Attempt, releases: number[]): string[] {
  return attempt.error ? [`${what} rejected: ${told(attempt)}`] : wrong(what, attempt, releases);
}

/** Rows of kinds, columns of scenarios, and the number of points in each. */
export function table(points: Point[]): string {
  const kinds = [...new Set(points.map(({ kind }) => kind))].sort();
  const count = (kind: string | undefined, scenario: Scenario | undefined) =>
    points.filter((point) => (!kind || point.kind === kind) && (!scenario || point.scenario === scenario)).length;
  const row = (kind: string, counts: (string | number)[]) =>
    kind.padEnd(16) + counts.map((each) => `${each}`.padStart(8)).join("");
  return [
    row("", [...SCENARIOS, "all"]),
    ...[...kinds, undefined].map((kind) =>
      row(
        kind ?? "all",
        [...SCENARIOS, undefined].map((scenario) => count(kind, scenario)),
      ),
    ),
  ].join("\n");
}
