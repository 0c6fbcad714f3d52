// The model package: `insitu.json`, its files, inputs, outputs and task.
import type { Backend, DType } from "./tensor.js";

/** How pixels become the numbers that a model reads: `(pixel * scale - mean[c]) / std[c]`. */
export interface ImageSpec {
  /** `contain` keeps the whole image and its aspect ratio, `cover` fills and crops, `stretch` ignores the ratio. */
  fit: "contain" | "cover" | "stretch";
  /**
   * Red, green, blue (0 to 255) of the border that `contain` leaves.
   * @defaultValue [0, 0, 0]
   */
  border: [number, number, number];
  /**
   * Factor for a pixel of 0 to 255.
   * @defaultValue 1
   */
  scale: number;
  /**
   * Order of the input's dimensions: `[batch, height, width, channels]` or `[batch, channels, height, width]`.
   * @defaultValue "nhwc"
   */
  layout?: "nhwc" | "nchw";
  /**
   * 1 for grey (the luma of Rec. 601), 3 for red, green, blue, 4 for these and alpha. As on a canvas, pixels of alpha 0 lose their
   * color.
   * @defaultValue The number of channels of the input's shape.
   */
  channels?: 1 | 3 | 4;
  /**
   * One number per channel, subtracted after `scale`.
   * @defaultValue 0 for each
   */
  mean: number[];
  /**
   * One number per channel, the divisor after `mean`.
   * @defaultValue 1 for each
   */
  std: number[];
}

/** An input or output tensor of the model. */
export interface TensorSpec {
  /** As the graph names it. */
  name: string;
  dtype: DType;
  /** Sizes of the dimensions; -1 stands for one that the caller chooses: the batch, the length of a sequence, the size of an image. */
  shape: number[];
}

/** An output of the model. */
export interface OutputSpec extends TensorSpec {
  /**
   * With true, infinite values are results like others; otherwise a prediction that gives one is refused with `output_invalid`. NaN always
   * is.
   * @defaultValue false
   */
  allowInfinite?: boolean;
}

/** An input of the model. */
export interface InputSpec extends TensorSpec {
  /**
   * Present when the input may be given as an image; the shape then has the batch, height, width and 1, 3 or 4 channels. With a height and
   * width of -1 images keep their size.
   */
  image?: ImageSpec;
  /**
   * With true, NaN and infinite numbers are passed on to the model, which gives them a meaning; otherwise they are refused with
   * `input_invalid`.
   * @defaultValue false
   */
  allowNonFinite?: boolean;
  /**
   * The lowest and the highest number that the model takes, such as 0 and the last row of the table in which it looks up tokens. Others are
   * refused with `input_invalid`. `insitu pack` finds it for int32 inputs and embedding layers; for others the publisher may declare it.
   * @defaultValue any number
   */
  range?: [low: number, high: number];
}

/** One score per class. */
export interface ClassificationTask {
  kind: "classification";
  /**
   * Output that holds one number per class.
   * @defaultValue the first output
   */
  output?: string;
  /** One name per class, in the order of the output. Two names for an output of one number: it is the score of the second. */
  labels: string[];
  /**
   * How many classes `value` lists, best first.
   * @defaultValue 5
   */
  top?: number;
  /**
   * What turns the output into scores: `softmax` where they add up to 1, `sigmoid` where each class is decided by itself, `none` for a
   * model that ends in one of these itself.
   * @defaultValue "none"
   */
  activation?: "none" | "softmax" | "sigmoid";
}

/** What one column of a detection row holds; corners are in pixels of the model's input. */
export type DetectionColumn = "left" | "top" | "right" | "bottom" | "score" | "class";

/** Objects with their boxes. */
export interface DetectionTask {
  kind: "detection";
  /**
   * Output of shape `[1, rows, columns]`.
   * @defaultValue the first output
   */
  output?: string;
  /** One name per class. */
  labels: string[];
  /** What each column of the output holds. */
  columns: DetectionColumn[];
  /**
   * Rows under this score are dropped.
   * @defaultValue 0.3
   */
  minScore?: number;
  /**
   * Of two boxes of one class that overlap (intersection over union) by more, the one with the lower score is dropped.
   * @defaultValue 0.5
   */
  maxOverlap?: number;
}

/** A vector. */
export interface EmbeddingTask {
  kind: "embedding";
  output?: string;
}

/** Numbers. */
export interface RegressionTask {
  kind: "regression";
  output?: string;
}

/** One score per candidate of a list. */
export interface RankingTask {
  kind: "ranking";
  output?: string;
}

/** The outputs as they are. */
export interface RawTask {
  kind: "raw";
}

export type ModelTask = ClassificationTask | DetectionTask | EmbeddingTask | RegressionTask | RankingTask | RawTask;

export type TaskKind = ModelTask["kind"];

/** A piece of a file, checked and stored by itself. */
export interface ChunkSpec {
  /** Bytes. */
  size: number;
  /** 64 lower-case hexadecimal digits. */
  sha256: string;
}

/** A file of the package, with either its own hash or the hash of each chunk in order. */
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
  /**
   * The largest error, absolute up to outputs of 1 and relative beyond.
   * @defaultValue 1e-2 for webgpu, 1e-4 for wasm and cpu
   */
  tolerance: Record<Backend, number>;
}

/** What personal models learn on: a node of the model's graph, or a layer of a layers model. */
export interface EmbeddingSpec {
  node: string;
  /**
   * `mean`: over height and width.
   * @defaultValue "mean" for feature maps of images, "none" for what has no height and width
   */
  pool: "mean" | "none";
}

/** The distribution of one feature in the reference. */
export interface ReferenceFeature {
  /** At most 64 characters: the input's name, a dot, and `brightness`, `contrast`, `width`, `height`, `mean`, `spread` or a column's name. */
  name: string;
  /** The 5 %, 10 %, … 95 % quantiles: 19 numbers that never fall. */
  edges: number[];
  /** The lowest value. */
  low: number;
  /** The highest value. */
  high: number;
  /** Share of the inputs that lack it, 0 to 1. */
  missing: number;
}

/** What inputs were like when the model was made: pages compare their inputs with it. Made by `insitu reference`. */
export interface ReferenceProfile {
  /** Number of inputs. */
  samples: number;
  /** At most 16. */
  features: ReferenceFeature[];
  /** Of a classification: shares of its confidences in 20 bins from 0 to 1, each with its upper end. */
  confidence?: number[];
  /** Of a classification: share of each predicted class. */
  classes?: number[];
}

/** A signature over the manifest. */
export interface SignatureSpec {
  /** The `id` of the trusted key that it is checked with. */
  keyId: string;
  /** Only `Ed25519` is accepted. */
  algorithm: string;
  /** Base64 of 64 bytes. */
  signature: string;
}

/** A run of the model that was recorded, which a page replays on wasm without loading TensorFlow.js. */
export interface PlanSpec {
  /** Its file, one of `files`. */
  path: string;
  /** The shape that each input must have. */
  inputs: Record<string, number[]>;
  /** SHA-256 of the WebAssembly binary that it was recorded on. A page with another one ignores it. */
  binary: string;
}

/** `insitu.json`, validated. */
export interface Manifest {
  /** Version of the manifest's format. */
  insitu: 1;
  name: string;
  /** Semantic version. */
  version: string;
  /** Counts up: a lower release than one that was accepted before is refused with `model_rollback`. */
  release: number;
  /** ISO 8601. */
  created?: string;
  /** ISO 8601; from then on the package is refused with `model_expired`. */
  expires?: string;
  format: "tfjs-graph-model" | "tfjs-layers-model";
  files: FileSpec[];
  inputs: InputSpec[];
  outputs: OutputSpec[];
  task: ModelTask;
  embedding?: EmbeddingSpec;
  selfTest?: SelfTestSpec[];
  /** At most 16. Optional: a page that can use none of them runs the model all the same. */
  plans?: PlanSpec[];
  reference?: ReferenceProfile;
  signatures?: SignatureSpec[];
  license?: string;
  source?: string;
  /** Figures that the training printed, such as `{ "heldOutAccuracy": 0.985 }`. */
  metrics?: Record<string, number>;
}
