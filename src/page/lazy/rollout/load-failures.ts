// What follows from a version that could not be loaded: a block where it is the version's own fault, else a pause until the next try.
import type { ErrorCode, InsituError } from "../../../shared/errors.js";
import type { ModelRef } from "../../../shared/types/model.js";
import type { BlockedVersion, Channel } from "../../../shared/types/rollout.js";
import type { Target } from "./choose-version.js";
import { loadBreach } from "./guardrails.js";

/** What no other moment and no other network changes. An expired manifest may be a clock that is wrong. */
const LASTING: readonly ErrorCode[] = [
  "model_integrity",
  "model_signature",
  "model_rollback",
  "model_format",
  "model_too_large",
];

/** The block of a version, or undefined where the failure may pass: a network, memory, the page's own options. */
export function blockOf(target: Target, error: InsituError, channel: Channel): BlockedVersion | undefined {
  const breach = loadBreach(error, channel.guardrails);
  if (breach) return toBlock(target, breach, channel, refOf(error)?.digest);
  // The page asked for another task than the model's: no other version would help.
  if (!LASTING.includes(error.code) || error.data.wanted !== undefined) return undefined;
  return toBlock(target, { reason: "load", detail: error.message }, channel);
}

/** `why` as a block of the version, from now on. */
export function toBlock(
  { package: address, version }: Target,
  why: Pick<BlockedVersion, "reason" | "detail" | "count" | "limit">,
  { release }: Channel,
  digest?: string,
): BlockedVersion {
  return { ...why, package: address, version, digest, release, at: Date.now() };
}

/** The version that could not be opened, where its manifest could be read. */
export const refOf = (error: InsituError): ModelRef | undefined => error.data.model as ModelRef | undefined;

const MAX_PAUSE = 2 ** 8;

/** Versions that could not be loaded rest for one interval, then for two, four … of them: each try may be a download. */
export function createBackoff(every: number) {
  const resting = new Map<string, { failures: number; until: number }>();
  return {
    isResting: (address: string) => performance.now() < (resting.get(address)?.until ?? 0),
    failed(address: string) {
      const failures = (resting.get(address)?.failures ?? 0) + 1;
      resting.set(address, { failures, until: performance.now() + every * Math.min(2 ** (failures - 1), MAX_PAUSE) });
    },
    clear: () => resting.clear(),
  };
}
