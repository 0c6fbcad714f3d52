// A model on a channel as the page sees it, and what the parts of a rollout tell each other.
import type { InsituError } from "../../../shared/errors.js";
import type { ModelRef } from "../../../shared/types/model.js";
import type { ArmRole, BlockedVersion, BreachReason, ChannelArm } from "../../../shared/types/rollout.js";

/** A limit of the channel's guardrails that a version went beyond. */
export interface Breach {
  reason: BreachReason;
  /** One sentence: what was seen. */
  detail: string;
  /** What was counted or measured, in the unit of `limit`. */
  count: number;
  limit: number;
}

/**
 * Why a version runs. `weight`: this browser was assigned to it when the model was loaded. `release`: the channel changed. `pin`: the
 * page chose it. `load`: the assigned one could not be loaded. Others: the assigned one went beyond a guardrail.
 */
export type RolloutReason = "weight" | "release" | "pin" | "load" | BreachReason;

/** What a shadow has found since the page was opened. */
export interface ShadowCounts {
  /** `waiting`: for the first idle moment. `off`: given up, with the reason in `problem`. */
  status: "waiting" | "loading" | "on" | "off";
  agreed: number;
  disagreed: number;
  /** Inputs that the shadow could not predict. After five in a row it is given up. */
  failed: number;
  /** Inputs that were copied and not predicted a second time, since the page was not idle in time. */
  dropped: number;
  problem?: string;
}

/** What a rollout knows now. */
export interface RolloutSnapshot {
  /** Address of the channel file. */
  channel: string;
  /** Of the channel that was accepted last. */
  release: number;
  /** What runs. */
  running: { version: string; arm: ArmRole; model: ModelRef; reason: RolloutReason };
  /** Set while the page pinned a version. */
  pinned?: string;
  /** All arms of the channel, shadow included. */
  arms: readonly ChannelArm[];
  /** The version that a rollback goes to; undefined until one has run. */
  lastKnownGood?: string;
  blocked: readonly BlockedVersion[];
  /** `swapping` while another version is being loaded or the one before still ends its predictions. */
  status: "idle" | "checking" | "swapping" | "disposed";
  /** What the shadow has found in this page; absent without one. */
  shadow?: ShadowCounts;
  /** Epoch milliseconds of the last answer of the host, also of one that said that nothing changed. */
  checkedAt?: number;
  /** The problem of the last check, if it had one. */
  problem?: InsituError;
}

/** Another version has taken over. Predictions that were open end on the one before. */
export interface SwapEvent {
  from: ModelRef;
  to: ModelRef;
  reason: RolloutReason;
  /** Of the channel. */
  release: number;
}

/** A version was left by itself and is blocked in this browser. Fired after the version to go back to has taken over. */
export interface RollbackEvent {
  from: ModelRef;
  to: ModelRef;
  reason: BreachReason | "load";
  detail: string;
  count?: number;
  limit?: number;
  release: number;
}

/** Something did not work; the version that runs goes on. */
export interface ProblemEvent {
  error: InsituError;
  /** `channel`: reading or checking the channel. `swap`: loading a version. `rollback`: going back. */
  stage: "channel" | "swap" | "rollback";
  /** The version that could not be loaded. */
  version?: string;
}

export interface RolloutEvents {
  swap: SwapEvent;
  rollback: RollbackEvent;
  problem: ProblemEvent;
}

/** Which version of a model runs, for a model that was loaded from a channel. */
export interface Rollout {
  /** Address of the channel file. */
  readonly channel: string;
  /** Release of the channel that was accepted last. */
  readonly release: number;
  /** Role of the version that runs. */
  readonly arm: ArmRole;
  /** Version that runs. */
  readonly version: string;
  /** The version that the page pinned, if it did. */
  readonly pinned?: string;
  /**
   * What is known now: arms, blocked versions, the last check.
   * @example
   * ```ts
   * const { running, blocked } = model.rollout!.state();
   * ```
   */
  state(): RolloutSnapshot;
  /**
   * Asks the host for the channel now, and resolves once the version that it assigns runs or could not be loaded. Never rejects for a host
   * or a channel that does not help: that is a `problem` event.
   * @throws `disposed` after `dispose`.
   * @example
   * ```ts
   * await model.rollout?.check();
   * ```
   */
  check(): Promise<void>;
  /**
   * Runs this version of the channel until `pin()` without one. Only for this model object: pass `channel.pin` to `load` at the next visit.
   * @throws `input_invalid` for a version that the channel does not have, what loading it rejects with (then what ran goes on), and
   * `disposed` after `dispose`.
   * @example
   * ```ts
   * await model.rollout?.pin("1.0.0");
   * ```
   */
  pin(version?: string): Promise<void>;
  /**
   * Listens for `swap` (another version has taken over), `rollback` (a version was left by itself) and `problem` (what did not work; the version
   * that runs goes on).
   * @example
   * ```ts
   * model.rollout?.addEventListener("swap", ({ detail }) => console.log(detail.from.version, detail.to.version));
   * ```
   */
  addEventListener<T extends keyof RolloutEvents>(
    type: T,
    listener: (event: CustomEvent<RolloutEvents[T]>) => void,
  ): void;
  /** Removes a listener that `addEventListener` added. */
  removeEventListener<T extends keyof RolloutEvents>(
    type: T,
    listener: (event: CustomEvent<RolloutEvents[T]>) => void,
  ): void;
}
