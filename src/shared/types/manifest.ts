// The model package: `insitu.json`, its files, inputs, outputs and task.
import type { Backend, DType } from "./tensor.js";

/** How pixels become the numbers that a model reads: `(pixel * scale - mean[c]) / std[c]`. */
export interface ImageSpec {
  /** `contain` keeps the whole picture and its aspect ratio, `cover` fills and crops, `stretch` ignores the ratio. */
  fit: "contain" | "cover" | "stretch";
  /** Red, green, blue (0 to 255) of the border that `contain` leaves. Default black. */
  border: [number, number, number];
  /** Factor for a pixel of 0 to 255. Default 1. */
  scale: number;
  /** Order of the input's dimensions: `[batch, height, width, channels]` or `[batch, channels, height, width]`. Default `nhwc`. */
  layout?: "nhwc" | "nchw";
  /** 1 for grey (the luma of Rec. 601), 3 for red, green, blue, 4 for these and alpha (as on a canvas, pixels of alpha 0 lose their colour). Default: what the input's shape says. */
  channels?: 1 | 3 | 4;
  /** One number a channel, subtracted after `scale`. Default 0. */
  mean: number[];
  /** One number a channel, the divisor after `mean`. Default 1. */
  std: number[];
}

export interface TensorSpec {
  name: string;
  dtype: DType;
  /** -1 stands for a size that the caller chooses (the batch). */
  shape: number[];
}

export interface InputSpec extends TensorSpec {
  /** Present when the input may be given as a picture; the shape then has the batch, height, width and 1, 3 or 4 channels. */
  image?: ImageSpec;
}

export interface ClassificationTask {
  kind: "classification";
  /** Output that holds one number a class. Default: the first output. */
  output?: string;
  labels: string[];
  /** How many classes `value` lists, best first. Default 5. */
  top?: number;
  /** What turns the output into scores that add up to 1. Default `none` (the model ends in a softmax itself). */
  activation?: "none" | "softmax";
}

/** What one column of a detection row holds; corners are in pixels of the model's input. */
export type DetectionColumn = "left" | "top" | "right" | "bottom" | "score" | "class";

export interface DetectionTask {
  kind: "detection";
  /** Output of shape `[1, rows, columns]`. Default: the first output. */
  output?: string;
  labels: string[];
  columns: DetectionColumn[];
  /** Rows under this score are dropped. Default 0.3. */
  minScore?: number;
  /** Of two boxes of one class that overlap (intersection over union) by more, the weaker is dropped. Default 0.5. */
  maxOverlap?: number;
}

export interface EmbeddingTask {
  kind: "embedding";
  output?: string;
}

export interface RegressionTask {
  kind: "regression";
  output?: string;
}

export interface RankingTask {
  kind: "ranking";
  output?: string;
}

export interface RawTask {
  kind: "raw";
}

export type ModelTask = ClassificationTask | DetectionTask | EmbeddingTask | RegressionTask | RankingTask | RawTask;

export type TaskKind = ModelTask["kind"];

export interface ChunkSpec {
  size: number;
  /** Lower-case hex. */
  sha256: string;
}

/** A file of the package: its whole hash, or the hash of each chunk in order. */
export interface FileSpec {
  /** Relative to the manifest's folder, which it cannot leave. */
  path: string;
  /** Bytes. */
  size: number;
  sha256?: string;
  chunks?: ChunkSpec[];
}

/** Inputs and the outputs that are right for them, as files of the package: a backend that computes others is not used. */
export interface SelfTestSpec {
  /** Path of a file that `files` lists. */
  input: string;
  /** Path of a file that `files` lists. */
  outputs: string;
  /** The largest error, absolute up to outputs of 1 and relative beyond. Default 1e-2 for webgpu, 1e-4 for wasm and cpu. */
  tolerance: Record<Backend, number>;
}

/** What personalisation learns on: a node of the model's graph (of a layers model, a layer). */
export interface EmbeddingSpec {
  node: string;
  /** `mean`: over height and width. Default `mean` for pictures' feature maps, `none` for what has no height and width. */
  pool: "mean" | "none";
}

export interface SignatureSpec {
  keyId: string;
  algorithm: string;
  /** Base64. */
  signature: string;
}

/** `insitu.json`, validated. */
export interface Manifest {
  insitu: 1;
  name: string;
  version: string;
  release: number;
  /** ISO 8601. */
  created?: string;
  expires?: string;
  format: "tfjs-graph-model" | "tfjs-layers-model";
  files: FileSpec[];
  inputs: InputSpec[];
  outputs: TensorSpec[];
  task: ModelTask;
  embedding?: EmbeddingSpec;
  selfTest?: SelfTestSpec[];
  signatures?: SignatureSpec[];
  license?: string;
  source?: string;
  /** Figures that the training printed, such as `{ "heldOutAccuracy": 0.985 }`. */
  metrics?: Record<string, number>;
}
