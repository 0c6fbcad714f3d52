// The data of a rollout: the channel file, the arms that it names, and the limits of its guardrails.
import type { SignatureSpec } from "./manifest.js";

/**
 * What an arm is for. `stable`: the version that has proved itself. `canary`: a new version that a share of the browsers runs. `shadow`: a
 * version that predicts a share of the inputs a second time; its results are compared and never returned.
 */
export type ArmRole = "stable" | "canary" | "shadow";

/** One version in a channel. */
export interface ChannelArm {
  /** Folder of the package, relative to the channel file, whose folder it cannot leave. */
  package: string;
  /** Share of the browsers in relation to the other arms; 0 or more. Of a shadow it is ignored. */
  weight: number;
  role: ArmRole;
  /**
   * Version of the package, for pinning and for reports.
   * @defaultValue the last part of `package`
   */
  version?: string;
  /**
   * Shadow: share of the inputs that it predicts too, over 0 to 1.
   * @defaultValue 0.1
   */
  share?: number;
}

/** When a page leaves a version by itself. Each limit holds for the versions that run in this browser, also offline. */
export interface ChannelGuardrails {
  /**
   * Predictions in a row that failed with `output_invalid`, `timeout`, `worker_crashed`, `device_lost`, `out_of_memory`,
   * `backend_unavailable` or `unknown`. Of predictions that were open at the same time and fail together the first one counts.
   * @defaultValue 5
   */
  failures?: number;
  /**
   * Milliseconds: the median of the last `latencyWindow` predictions may not be over it. Of a prediction its own work is measured:
   * without waits for others, its share of a batch, and not while the page is hidden.
   * @defaultValue no limit
   */
  maxLatency?: number;
  /**
   * Predictions, 10 to 1,000.
   * @defaultValue 50
   */
  latencyWindow?: number;
  /**
   * Times that the page crashed while the version ran, within a day.
   * @defaultValue 2
   */
  crashes?: number;
}

/** `channel.json`, validated: which version a page runs. */
export interface Channel {
  /** Name of the model; the packages of all arms have it. */
  model: string;
  /** Counts up with each change: a lower one than was accepted before is refused with `model_rollback`. */
  release: number;
  /** 1 to 16: exactly one is stable, at most one a shadow. */
  arms: ChannelArm[];
  /** Changes which browsers are on which arm; the same salt keeps them. */
  salt: string;
  guardrails?: ChannelGuardrails;
  /** ISO 8601. */
  created?: string;
  /** ISO 8601; from then on the channel is refused with `model_expired`. */
  expires?: string;
  signatures?: SignatureSpec[];
}

/** Why a version was left by itself. `self_test`: its package was opened, and its outputs on this device are not those that it says. */
export type BreachReason = "failures" | "latency" | "crashes" | "self_test";

/** A version that this browser does not run any more. */
export interface BlockedVersion {
  /** Absolute address of its folder. */
  package: string;
  version: string;
  /** SHA-256 of its manifest, where it was loaded. */
  digest?: string;
  /** `load`: it could not be loaded, for a reason that does not pass by itself. */
  reason: BreachReason | "load";
  /** One sentence. */
  detail: string;
  /** What was counted or measured: a channel that allows more ends the block. */
  count?: number;
  /** The limit then, in the same unit. */
  limit?: number;
  /** Release of the channel when it was blocked. With reason `load` a higher one ends the block. */
  release: number;
  /** Epoch milliseconds. */
  at: number;
}

/** The version that a rollback goes to. */
export interface KnownGood {
  /** Absolute address of its folder. */
  package: string;
  version: string;
  digest: string;
}
