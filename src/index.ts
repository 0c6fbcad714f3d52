// Lists every public name; holds no logic.

export type {
  ChannelOptions,
  ClientOptions,
  ImageInput,
  LoadOptions,
  NumbersInput,
  PersonalConsent,
  PredictAllOptions,
  PredictAllProgress,
  PredictInput,
  PredictOptions,
  TaskCallOptions,
  TrustedScriptAddress,
  Watch,
  WatchOptions,
  WatchSource,
  WorkerSource,
} from "./page/api-types.js";
export { type Client, createClient } from "./page/client.js";
export type {
  DegradedEvent,
  DriftDetector,
  DriftEvent,
  DriftLevels,
  DriftState,
  DriftTarget,
  DriftTargetState,
  InputFeatureState,
  MonitorLimits,
} from "./page/lazy/drift/types.js";
export type {
  ConfusionCount,
  Feedback,
  FeedbackResult,
  MonitoredVersion,
  MonitorSnapshot,
  MonitorWindow,
} from "./page/lazy/monitor/types.js";
export type { PersonalModel, PersonalMonitor } from "./page/lazy/personal/types.js";
export type {
  PersonalRanker,
  RankedItem,
  RankingEvent,
  RankingItem,
  RankingOptions,
  RankOptions,
  RecordedEvent,
  TraitWeight,
} from "./page/lazy/ranking/types.js";
export type {
  ProblemEvent,
  RollbackEvent,
  Rollout,
  RolloutEvents,
  RolloutReason,
  RolloutSnapshot,
  ShadowCounts,
  SwapEvent,
} from "./page/lazy/rollout/types.js";
export type {
  LoggerLike,
  MeterLike,
  TelemetryAttributes,
  TelemetryBatch,
  TelemetryConsent,
  TelemetryCounterPoint,
  TelemetryEvent,
  TelemetryExponentialPoint,
  TelemetryHistogramPoint,
  TelemetryMetric,
  TelemetryOptions,
  TelemetryRequest,
  TelemetryStats,
} from "./page/lazy/telemetry/types.js";
export type { Model, PersonalOf, PersonalOptionsOf } from "./page/model.js";
export type { ModelMonitor, MonitorEvents } from "./page/monitor.js";
export type { PersonalPrivacy } from "./page/personal-privacy.js";
export type { ModelStore } from "./page/storage/model-store.js";
export { ERROR_CODES, type ErrorCode, type ErrorData, InsituError, isInsituError } from "./shared/errors.js";
export type {
  ChunkSpec,
  ClassificationTask,
  DetectionColumn,
  DetectionTask,
  EmbeddingSpec,
  EmbeddingTask,
  FileSpec,
  ImageSpec,
  InputSpec,
  Manifest,
  ModelTask,
  OutputSpec,
  PlanSpec,
  RankingTask,
  RawTask,
  ReferenceFeature,
  ReferenceProfile,
  RegressionTask,
  SelfTestSpec,
  SignatureSpec,
  TaskKind,
  TensorSpec,
} from "./shared/types/manifest.js";
export type {
  BackendMeasurement,
  BackendRefusal,
  BackendReport,
  BatchingOptions,
  BoundingBox,
  Capabilities,
  ClassScore,
  Detection,
  LoadPhase,
  LoadProgress,
  ModelInfo,
  ModelRef,
  PackageRequestOptions,
  PlanInfo,
  Prediction,
  PredictionTimings,
  PredictionValues,
  PredictPriority,
  TrustedKey,
  TrustOptions,
} from "./shared/types/model.js";
export type {
  AddExampleOptions,
  AddedExample,
  HeadAccuracy,
  HeadKind,
  ImportResult,
  PersonalEvaluation,
  PersonalExample,
  PersonalizeOptions,
  PersonalPrediction,
  PersonalState,
  PersonalVersion,
  RetrainEvent,
  RetrainTriggers,
  StoredClassifier,
  StoredPersonalModel,
  StoredRanker,
  TrainingProgress,
  TrainingTrigger,
  TrainOptions,
  TriggerOutcome,
} from "./shared/types/personal.js";
export type {
  ArmRole,
  BlockedVersion,
  BreachReason,
  Channel,
  ChannelArm,
  ChannelGuardrails,
} from "./shared/types/rollout.js";
export type { StoredPackage, StoreEvent, StoreUsage } from "./shared/types/store.js";
export type { Backend, DType, ShapedNumbers, TensorData, TypedArray } from "./shared/types/tensor.js";
