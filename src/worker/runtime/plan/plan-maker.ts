// What a backend must offer to have plans: a way to record a run, and what the recording becomes.
import type { NamedTensorMap } from "@tensorflow/tfjs-core";
import type { TensorData } from "../../../shared/types/tensor.js";
import type { Execute, Feeds } from "./check-runs.js";
import type { Recording } from "./steps.js";
import type { GpuRecording } from "./webgpu/recording.js";

/** A recorded run that can be replayed for other inputs of the same shapes. Calls must not overlap. */
export interface ReplayPlan {
  /** Resolves, or returns, once all work was done or was submitted to the device. Throws what the backend throws. */
  execute(feeds: Feeds): Promise<void> | void;
  /** The outputs of the last run. */
  read(): Promise<TensorData[]> | TensorData[];
  /** Frees its memory; a second call does nothing. */
  dispose(): void;
}

export interface RecordedRun {
  /** Makes the plan. To be called once the run's tensors were disposed. */
  make(): ReplayPlan | Promise<ReplayPlan>;
  /** What the plan was made of: on wasm, or on WebGPU. */
  wasm?: Recording;
  gpu?: GpuRecording;
}

/** Records one run of the model. Rejects with `NoPlanError` where the run cannot be replayed, and with what the run throws. */
export type PlanMaker = (inputs: NamedTensorMap, run: Execute) => Promise<RecordedRun>;
