// Records a model's self-tests: runs the model on cpu and stores its outputs, and which of them can be compared.
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
import { type Goldens, goldens, type Outputs, type ReferenceOutputs } from "./goldens.js";
import { openOnCpu } from "./self-tests.js";

export interface SelfTestRecording {
  spec: SelfTestSpec;
  /** The two files that the spec names. */
  files: { path: string; text: string }[];
}

export interface RecordOptions {
  manifest: Manifest;
  model: ModelJson;
  /** Where the weights are. */
  folder: string;
  /** Paths of input files, one self-test each. @defaultValue one self-test on noise */
  inputs?: string[];
  /** Receives a line of text for each slow step. */
  onProgress?: (line: string) => void;
}

const ADVICE = "Pass your own input with --self-test, or omit the self-test with --no-self-test.";

/** Throws `backend_unavailable` if cpu cannot run the model, `output_invalid` if none of its outputs can be compared. */
export async function recordSelfTests(options: RecordOptions): Promise<SelfTestRecording[]> {
  const { manifest, model, folder, inputs = [], onProgress = () => undefined } = options;
  const parse = ({ text, path }: InputText): Candidate => ({
    text,
    feed: parseSelfTestInput(text, manifest.inputs, path),
  });
  // The inputs of the caller are all parsed before anything slow starts.
  const own = (await readInputs(inputs)).map(parse).map((candidate) => [() => candidate]);
  const noise = SEEDS.map((seed) => () => parse(noiseInput(manifest.inputs, seed)));
  const tests = own.length > 0 ? own : [noise];
  const session = await withAdvice(() => openOnCpu(manifest, model, folder));
  try {
    const recorded: SelfTestRecording[] = [];
    for (const [index, candidates] of tests.entries()) {
      const name = `self-test ${index + 1} of ${tests.length}`;
      const { text, found } = await firstComparable(session, candidates, (line) => onProgress(`${name}: ${line}`));
      const input = `self-test-${index + 1}.input.json`;
      const outputs = `self-test-${index + 1}.outputs.json`;
      // Parsed as a page does, so that no file is written that a page would refuse.
      parseSelfTestOutputs(found.text, manifest.outputs, outputs);
      const files = [
        { path: input, text },
        { path: outputs, text: found.text },
      ];
      recorded.push({ spec: { input, outputs, tolerance: found.tolerance }, files });
    }
    return recorded;
  } finally {
    session.dispose();
  }
}

interface Candidate {
  text: string;
  feed: Outputs;
}

/** The first input whose outputs can be compared across backends. Throws what is wrong with the last one. */
async function firstComparable(
  session: Session,
  [candidate, ...others]: (() => Candidate)[],
  onProgress: (line: string) => void,
): Promise<{ text: string; found: Goldens }> {
  const { text, feed } = (candidate as () => Candidate)();
  const references = await withAdvice(() => runReference(session, feed, onProgress));
  try {
    return { text, found: goldens(references) };
  } catch (error) {
    if (others.length === 0) return withAdvice(() => Promise.reject(error));
    onProgress("its outputs cannot be compared across backends; trying other noise");
    return firstComparable(session, others, onProgress);
  }
}

interface InputText {
  text: string;
  /** Where the text comes from, for messages. */
  path: string;
}

async function readInputs(paths: string[]): Promise<InputText[]> {
  if (paths.length > MAX_SELF_TESTS) {
    const message = `A package has at most ${MAX_SELF_TESTS} self-tests, got ${paths.length}. Pass --self-test fewer times.`;
    throw new InsituError("input_invalid", message);
  }
  const texts: InputText[] = [];
  for (const path of paths) {
    if ((await fileSize(path)) > MAX_SELF_TEST_BYTES) {
      const message = `${path} is larger than ${MAX_SELF_TEST_BYTES} bytes, the maximum for a self-test's input. Use "noise" instead of data, or a smaller input.`;
      throw new InsituError("input_invalid", message, { path });
    }
    texts.push({ text: await readText(path), path });
  }
  return texts;
}

/** Adds to an error that packing works without the self-test. */
async function withAdvice<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    if (isInsituError(cause) && cause.code === "output_invalid")
      throw new InsituError("output_invalid", `The self-test cannot be recorded: ${detail} ${ADVICE}`, cause.data);
    const message = `The self-test cannot be recorded, since the model does not run on cpu (${detail}). ${ADVICE}`;
    throw new InsituError("backend_unavailable", message, { backend: "cpu" }, { cause });
  }
}

/** Images get pixels as the manifest normalizes them; other inputs get small numbers, which are valid as indices too. */
// By chance the outputs of one seed may be near 0, where rounding is all that is seen.
const SEEDS = [0, 1, 2, 3];

/** Noise in the range of each input. */
function noiseInput(inputs: InputSpec[], seed: number): InputText {
  const tensors = inputs.map(({ name, dtype, shape, image }, index) => {
    const [low, high] = image ? pixelRange(image) : dtype !== "float32" ? [0, 2] : [shape.length === 4 ? 0 : -1, 1];
    const sizes = shape.map((size) => (size === -1 ? 1 : size));
    return [name, { dtype, shape: sizes, noise: { seed: index + 1 + seed * inputs.length, low, high } }];
  });
  return { text: `${JSON.stringify(Object.fromEntries(tensors), null, 2)}\n`, path: "the default self-test input" };
}

function pixelRange({ scale, mean, std }: NonNullable<InputSpec["image"]>): [number, number] {
  const bounds = mean.flatMap((shift, channel) =>
    [0, 255].map((pixel) => (pixel * scale - shift) / (std[channel] ?? 1)),
  );
  return [Math.min(...bounds), Math.max(...bounds)];
}

// ---- running -----------------------------------------------------------------------------------------------------

async function runReference(
  session: Session,
  feed: Outputs,
  onProgress: (line: string) => void,
): Promise<ReferenceOutputs> {
  onProgress("running the model on cpu (plain JavaScript: up to a minute for large images)");
  const started = performance.now();
  const { outputs: exact } = await session.run(feed);
  for (const [name, { data }] of Object.entries(exact)) {
    const index = data.findIndex((value) => !Number.isFinite(value));
    if (index < 0) continue;
    const message = `The model returns ${data[index]} in its output ${name} at index ${index}, which cannot be compared.`;
    throw new InsituError("output_invalid", message, { output: name, index });
  }
  if (!Object.values(feed).some(({ dtype }) => dtype === "float32")) return { exact };
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  onProgress(`took ${seconds} s; running it twice more to find the values that rounding alone changes`);
  const { outputs: above } = await session.run(perturb(feed, 1));
  const { outputs: below } = await session.run(perturb(feed, -1));
  return { exact, above, below };
}

// Relative to the input's range. It moves most of centernet's outputs about 600 times as far as wasm's rounding does (5e-4 against 8e-7).
const PERTURBATION = 1e-3;

function perturb(feed: Outputs, sign: 1 | -1): Outputs {
  const next = mulberry32(0);
  const perturbed = Object.entries(feed).map(([name, { data, shape, dtype }]): [string, TensorData] => {
    if (!(data instanceof Float32Array)) return [name, { data, shape, dtype }];
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of data) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const step = sign * PERTURBATION * (high - low || 1);
    return [name, { data: data.map((value) => value + step * (next() * 2 - 1)), shape, dtype }];
  });
  return Object.fromEntries(perturbed);
}
