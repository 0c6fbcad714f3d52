// What a personal model needs of its base model, and of each call.
import type { WireInput } from "../../shared/protocol.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { TrainingProgress } from "../../shared/types/personal.js";
import type { EmbeddingResult } from "../runtime/model-runner.js";
import type { Scheduler } from "../runtime/scheduling/scheduler.js";
import type { Lease } from "../runtime/session/engine.js";
import type { FitSoftmax } from "./softmax-head.js";

export interface BaseModel {
  ref: ModelRef;
  /** Identifies what computes the embedding: the same for two releases whose embeddings are the same. */
  embedder: string;
  embed(input: WireInput, signal: AbortSignal): Promise<EmbeddingResult>;
  /** Its backend, to train on. */
  lease(): Promise<Lease>;
  /** Fetches the code of the training, which is part of the file that holds tfjs. */
  training(): Promise<FitSoftmax>;
  scheduler: Scheduler;
}

/** What a call passes on beside its arguments. */
export interface CallContext {
  signal: AbortSignal;
  onProgress(progress: TrainingProgress): void;
}
