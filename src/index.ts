// Lists every public name; holds no logic.

export type {
  ClientOptions,
  ImageInput,
  LoadOptions,
  PersonalConsent,
  PredictAllOptions,
  PredictAllProgress,
  PredictInput,
  PredictOptions,
  TrustedScriptAddress,
  Watch,
  WatchOptions,
  WatchSource,
  WorkerSource,
} from "./page/api-types.js";
export { type Client, createClient } from "./page/client.js";
export type {
  Confusion,
  Feedback,
  FeedbackResult,
  MonitoredVersion,
  MonitorSnapshot,
  MonitorWindow,
} from "./page/lazy/monitor/types.js";
export type { PersonalModel, PersonalMonitor } from "./page/lazy/personal/personal-model.js";
export type {
  PersonalRanker,
  Ranked,
  RankingEvent,
  RankingItem,
  RankingOptions,
  Taste,
} from "./page/lazy/ranking/types.js";
export type {
  Attributes,
  Consent,
  CounterPoint,
  EventRecord,
  ExponentialPoint,
  HistogramPoint,
  LoggerLike,
  MeterLike,
  Metric,
  TelemetryBatch,
  TelemetryOptions,
  TelemetryParcel,
  TelemetryStats,
} from "./page/lazy/telemetry/types.js";
export type { Model, Personal, PersonalOptions } from "./page/model.js";
export type { ModelMonitor } from "./page/monitor.js";
export type { PersonalPrivacy } from "./page/personal-privacy.js";
export type { ModelStore } from "./page/storage/model-store.js";
export { ERROR_CODES, type ErrorCode, type ErrorData, InsituError, isInsituError } from "./shared/errors.js";
export type { KeptPersonal } from "./shared/protocol.js";
export type {
  ClassificationTask,
  DetectionTask,
  ImageSpec,
  InputSpec,
  Manifest,
  Task,
  TaskKind,
  TensorSpec,
} from "./shared/types/manifest.js";
export type {
  BackendReport,
  BatchingOptions,
  Box,
  Capabilities,
  ClassScore,
  Detection,
  LoadPhase,
  Measured,
  ModelInfo,
  ModelRef,
  Prediction,
  Priority,
  Progress,
  Refusal,
  Timings,
  TrustedKey,
  TrustOptions,
  Values,
} from "./shared/types/model.js";
export type {
  Added,
  AddOptions,
  Evaluation,
  Example,
  Fired,
  HeadKind,
  Imported,
  Judgement,
  PersonalizeOptions,
  PersonalPrediction,
  PersonalState,
  PersonalVersion,
  RetrainEvent,
  TrainingProgress,
  TrainingTrigger,
  TrainOptions,
  Triggers,
} from "./shared/types/personal.js";
export type { StoredPackage, StoreEvent, StoreUsage } from "./shared/types/store.js";
export type { Backend, DType, TensorData, TypedArray } from "./shared/types/tensor.js";
