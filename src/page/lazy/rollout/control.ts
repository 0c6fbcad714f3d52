// What the guardrails and the shadow are given of a rollout, and what they give it.
import type { HostPrediction } from "../../../shared/protocol.js";
import type { TaskKind } from "../../../shared/types/manifest.js";
import type { ChannelArm } from "../../../shared/types/rollout.js";
import type { PredictOptions } from "../../api-types.js";
import type { TransferableInput } from "../../input/wire-input.js";
import type { OnResult, OpenVersion, PredictionObserver } from "../../version.js";
import type { WorkerSlot } from "../../workers/pool.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import type { KnownVersions } from "./known-versions.js";
import type { Breach, ShadowCounts } from "./types.js";
import type { Running, Versions } from "./versions.js";

/**
 * What the guardrails and the shadow are given: the controller that owns the running version. `controller.ts` implements it.
 *
 * The controller creates one `Guards` (guards.ts), before the first prediction.
 */
export interface RolloutControl {
  readonly deps: {
    slots: readonly Pick<WorkerSlot, "calls">[];
    /** Fetches the part of the library that compares a shadow. */
    loadShadow(): Promise<{ createShadow(control: RolloutControl, workOf: WorkOf): Shadow }>;
    /** Records to telemetry. */
    record(record: TelemetryRecord): void;
  };
  /** The channel that was read last, and what is noted of its versions. */
  readonly store: KnownVersions;
  readonly versions: Pick<Versions, "running">;
  /**
   * Goes to the last known good version (else the stable arm) at once, also offline, blocks the running one, remembers that, fires `rollback`
   * and records telemetry. Resolves once the other one runs, or it turned out that there is none (a `problem` event). A second call meanwhile
   * does nothing. Never rejects.
   */
  rollBack(breach: Breach): Promise<void>;
  /**
   * Opens the package of another arm beside the one that runs: for the shadow. End it with `version.rpc.dispose()`. Rejects as `client.load`
   * does.
   */
  open(arm: ChannelArm, signal: AbortSignal): Promise<OpenVersion>;
  /** The shadow of the channel, unless it is blocked. */
  shadowArm(): ChannelArm | undefined;
  /** Aborted when the model is disposed. */
  readonly signal: AbortSignal;
}

/** Milliseconds of a prediction's own work. */
export type WorkOf = (result: HostPrediction) => number;

/** The comparisons with the shadow of a channel (page/lazy/shadow). */
export interface Shadow {
  /** The channel, or the arm that runs, may have changed. */
  renew(running: ChannelArm): void;
  started(copy: () => Promise<TransferableInput>, options: PredictOptions, task: TaskKind): OnResult | undefined;
  ended(): void;
  giveUp(problem: string): void;
  counts(): ShadowCounts | undefined;
  dispose(): void;
}

/** The guardrails and the shadow of a rollout, for the controller. */
export interface RolloutGuards {
  /** What watches the predictions of a version that takes over now. That of the version before still gets its last predictions. */
  watch(running: Running): PredictionObserver;
  /** The channel has changed, and the version that runs has not: other limits, another shadow. */
  changed(): void;
  /** What the shadow has found, if the channel has one. */
  shadow(): ShadowCounts | undefined;
  /** Stops timers and frees the shadow. */
  dispose(): void;
}
