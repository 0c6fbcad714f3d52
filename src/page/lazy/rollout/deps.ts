// What a rollout needs of its client.
import type { OpenPackage } from "../../version.js";
import type { WorkerSlot } from "../../workers/pool.js";
import type { TelemetryRecord } from "../telemetry/records.js";
import type { ReadDeps } from "./known-channel.js";
import type { RolloutControl } from "./types.js";

export interface RolloutDeps extends ReadDeps {
  slots: readonly Pick<WorkerSlot, "calls">[];
  loadShadow: RolloutControl["loadShadow"];
  storeName: string;
  open: OpenPackage;
  every: number;
  maxBytes: number;
  record(record: TelemetryRecord): void;
}
