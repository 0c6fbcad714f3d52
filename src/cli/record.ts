// Records a model's self-tests: runs it on cpu, and writes down what it gives and which of that can be compared.
import { InsituError, isInsituError } from "../shared/errors.js";
import type { InputSpec, Manifest, SelfTestSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";
import { mulberry32 } from "../worker/package/seeded-noise.js";
import {
  MAX_SELF_TEST_BYTES,
  MAX_SELF_TESTS,
  parseSelfTestInput,
  parseSelfTestOutputs,
} from "../worker/package/self-test-files.js";
import type { ModelJson } from "../worker/package/topology.js";
import type { Session } from "../worker/runtime/session/engine.js";
import { fileSize, readText } from "./files.js";
import { type Answers, goldens, type Outputs } from "./goldens.js";
import { openOnCpu } from "./self-tests.js";

export interface Recorded {
  spec: SelfTestSpec;
  /** The two files that the spec names. */
  files: { path: string; text: string }[];
}

export interface RecordOptions {
  manifest: Manifest;
  model: ModelJson;
  /** Where the weights are. */
  folder: string;
  /** Paths of the caller's own inputs, a test each. Default: one test on noise. */
  inputs?: string[];
  /** Told what takes so long. */
  onProgress?: (line: string) => void;
}

const INSTEAD = "Pass inputs of your own with --self-test, or leave the self-test out with --no-self-test.";

/** Throws `backend_unavailable` when cpu cannot run the model, `output_invalid` when it gives nothing that can be compared. */
export async function recordSelfTests(options: RecordOptions): Promise<Recorded[]> {
  const { manifest, model, folder, inputs = [], onProgress = () => undefined } = options;
  if (inputs.length > MAX_SELF_TESTS) {
    throw new InsituError("input_invalid", `A package has at most ${MAX_SELF_TESTS} self-tests, got ${inputs.length}.`);
  }
  const texts: [text: string, where: string][] = [];
  for (const path of inputs) {
    if ((await fileSize(path)) > MAX_SELF_TEST_BYTES)
      throw new InsituError("input_invalid", `${path} is larger than ${MAX_SELF_TEST_BYTES} bytes.`, { path });
    texts.push([await readText(path), path]);
  }
  if (inputs.length === 0) texts.push([noiseText(manifest.inputs), "the self-test's own input"]);
  // All are read before anything slow begins.
  const feeds = texts.map(([text, where]) => parseSelfTestInput(text, manifest.inputs, where));
  const session = await failing(() => openOnCpu(manifest, model, folder));
  try {
    const recorded: Recorded[] = [];
    for (const [index, feed] of feeds.entries()) {
      const name = `self-test ${index + 1} of ${feeds.length}`;
      const answers = await failing(() => record(session, feed, (line) => onProgress(`${name}: ${line}`)));
      const { text, tolerance } = await failing(() => goldens(answers));
      const input = `self-test-${index + 1}.input.json`;
      const outputs = `self-test-${index + 1}.outputs.json`;
      // As a page will read it: what that would refuse is not written.
      parseSelfTestOutputs(text, manifest.outputs, outputs);
      const files = [
        { path: input, text: (texts[index] as [string, string])[0] },
        { path: outputs, text },
      ];
      recorded.push({ spec: { input, outputs, tolerance }, files });
    }
    return recorded;
  } finally {
    session.dispose();
  }
}

/** Whatever stops the recording, packing can go on without it. */
async function failing<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    if (isInsituError(cause) && cause.code === "output_invalid")
      throw new InsituError("output_invalid", `The self-test cannot be recorded: ${detail} ${INSTEAD}`, cause.data);
    const message = `The self-test cannot be recorded, for the model does not run on cpu (${detail}). ${INSTEAD}`;
    throw new InsituError("backend_unavailable", message, { backend: "cpu" }, { cause });
  }
}

/** Pixels as the manifest normalises them; what is no picture gets small numbers, which are safe as indices too. */
function noiseText(inputs: InputSpec[]): string {
  const tensors = inputs.map(({ name, dtype, shape, image }, index) => {
    const [low, high] = image ? pixelRange(image) : dtype !== "float32" ? [0, 2] : [shape.length === 4 ? 0 : -1, 1];
    const sizes = shape.map((size) => (size === -1 ? 1 : size));
    return [name, { dtype, shape: sizes, noise: { seed: index + 1, low, high } }];
  });
  return `${JSON.stringify(Object.fromEntries(tensors), null, 2)}\n`;
}

function pixelRange({ scale, mean, std }: NonNullable<InputSpec["image"]>): [number, number] {
  const ends = mean.flatMap((shift, channel) => [0, 255].map((pixel) => (pixel * scale - shift) / (std[channel] ?? 1)));
  return [Math.min(...ends), Math.max(...ends)];
}

// ---- running -----------------------------------------------------------------------------------------------------

async function record(session: Session, feed: Outputs, onProgress: (line: string) => void): Promise<Answers> {
  onProgress("running the model on cpu; plain JavaScript may need a minute for large pictures");
  const started = performance.now();
  const { outputs: exact } = await session.run(feed);
  for (const [name, { data }] of Object.entries(exact)) {
    const index = data.findIndex((value) => !Number.isFinite(value));
    if (index < 0) continue;
    const message = `The model gives ${data[index]} in its output ${name} at ${index}, which no backend can be compared with.`;
    throw new InsituError("output_invalid", message, { output: name, index });
  }
  if (!Object.values(feed).some(({ dtype }) => dtype === "float32")) return { exact };
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  onProgress(`took ${seconds} s; twice more, to see which values rounding alone would change`);
  const { outputs: above } = await session.run(nudged(feed, 1));
  const { outputs: below } = await session.run(nudged(feed, -1));
  return { exact, above, below };
}

// Of an input's range. Moves most of centernet's outputs a thousand times as far as the rounding of wasm does (5e-4 against 8e-7).
const NUDGE = 1e-3;

function nudged(feed: Outputs, sign: 1 | -1): Outputs {
  const next = mulberry32(0);
  const moved = Object.entries(feed).map(([name, { data, shape, dtype }]): [string, TensorData] => {
    if (!(data instanceof Float32Array)) return [name, { data, shape, dtype }];
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of data) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const step = sign * NUDGE * (high - low || 1);
    return [name, { data: data.map((value) => value + step * (next() * 2 - 1)), shape, dtype }];
  });
  return Object.fromEntries(moved);
}
