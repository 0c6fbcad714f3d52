// Tells the page and telemetry what a rollout does: swaps, rollbacks, and what did not work.
import type { InsituError } from "../../../shared/errors.js";
import { modelRef } from "../../../shared/model-ref.js";
import type { ModelRef } from "../../../shared/types/model.js";
import type { BlockedVersion } from "../../../shared/types/rollout.js";
import type { OpenVersion } from "../../version.js";
import type { Target } from "./choose-version.js";
import type { RolloutDeps } from "./deps.js";
import { createEvents } from "./events.js";
import { loadBreach } from "./guardrails.js";
import type { KnownVersions } from "./known-versions.js";
import { refOf } from "./load-failures.js";
import type { ProblemEvent, RolloutReason } from "./types.js";
import type { Versions } from "./versions.js";

type RolloutAction = "assigned" | "swapped" | "rolled_back" | "pinned";
/** What is told of a version that was left. */
type Left = Pick<BlockedVersion, "reason" | "detail" | "release" | "count" | "limit">;

export class Reports {
  readonly events = createEvents();
  /** Why the version that runs does. */
  reason: RolloutReason;
  readonly #deps: Pick<RolloutDeps, "record">;
  readonly #store: KnownVersions;
  readonly #versions: () => Versions;

  constructor(
    deps: Pick<RolloutDeps, "record">,
    store: KnownVersions,
    versions: () => Versions,
    reason: RolloutReason,
  ) {
    this.#deps = deps;
    this.#store = store;
    this.#versions = versions;
    this.reason = reason;
  }

  swapped(from: ModelRef, reason: RolloutReason): void {
    this.reason = reason;
    const { release } = this.#store.known.channel;
    this.events.fire("swap", { from, to: this.#runningRef(), reason, release });
    this.#recordAction(reason === "pin" ? "pinned" : "swapped", reason, from);
  }

  /** @param isOurs - False where another tab has left the version, and told telemetry. */
  rolledBack(from: ModelRef, { reason, detail, release, count, limit }: Left, isOurs: boolean): void {
    this.reason = reason;
    const to = this.#runningRef();
    this.events.fire("rollback", { from, to, reason, detail, release, count, limit });
    if (isOurs) this.#recordAction("rolled_back", reason, from);
  }

  /** A version could not be opened; what runs is another one. */
  loadFailed(target: Target, error: InsituError, block?: BlockedVersion): void {
    if (block && block.reason !== "load") {
      this.rolledBack(refOf(error) as ModelRef, block, true);
      return;
    }
    // What was opened all the same, since there is nothing else, breaks a limit.
    const isKept = loadBreach(error, this.#store.known.channel.guardrails) !== undefined;
    this.problem(error, isKept ? "rollback" : "swap", target.version);
  }

  problem(error: InsituError, stage: ProblemEvent["stage"], version?: string): void {
    this.events.fire("problem", { error, stage, version });
  }

  #runningRef(): ModelRef {
    return modelRef(this.#versions().running.version.info);
  }

  #recordAction(action: RolloutAction, reason: RolloutReason, from: ModelRef): void {
    const { version, target } = this.#versions().running;
    this.#deps.record(rolloutRecord(version, target, action, reason, from.version));
  }
}

export function rolloutRecord(
  { info }: OpenVersion,
  { role }: Target,
  action: RolloutAction,
  reason: RolloutReason,
  from?: string,
) {
  return { kind: "rollout" as const, model: modelRef(info), arm: role, action, reason, ...(from && { from }) };
}
