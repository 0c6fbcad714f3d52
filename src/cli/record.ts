// Records a model's self-tests: runs the model on cpu and stores its outputs, and which of them can be compared.
import { readFile } from "node:fs/promises";
import { InsituError, isInsituError } from "../shared/errors.js";
import type { InputSpec, Manifest, SelfTestSpec } from "../shared/types/manifest.js";
import type { TensorData } from "../shared/types/tensor.js";
import { mulberry32 } from "../worker/package/seeded-noise.js";
import { parseSelfTestInput, parseSelfTestOutputs } from "../worker/package/self-test-files.js";
import { MAX_SELF_TEST_BYTES, MAX_SELF_TESTS } from "../worker/package/self-test-specs.js";
import type { Session } from "../worker/runtime/session/engine.js";
import { decodeText, fileSize } from "./files.js";
import { type Goldens, goldens, type Outputs, type ReferenceOutputs } from "./goldens.js";
import { defaultInputs, type InputText, imageFileInput, isImageFile } from "./self-test-inputs.js";

export interface SelfTestRecording {
  spec: SelfTestSpec;
  /** The two files that the spec names. */
  files: { path: string; text: string }[];
  /** Outputs that hold infinite values, which are right then. */
  infinite: string[];
}

export interface RecordOptions {
  manifest: Manifest;
  /** Runs the model on cpu. */
  open: () => Promise<Session>;
  /** Paths of input files, one self-test each. @defaultValue one self-test on noise or a photo */
  inputs?: string[];
  /** Receives a line of text for each slow step. */
  onProgress?: (line: string) => void;
}

const ADVICE = "Pass your own input with --self-test, or omit the self-test with --no-self-test.";

/** Throws `backend_unavailable` if cpu cannot run the model, `output_invalid` if none of its outputs can be compared. */
export async function recordSelfTests(options: RecordOptions): Promise<SelfTestRecording[]> {
  const { manifest, open, inputs = [], onProgress = () => undefined } = options;
  const parse = (input: InputText): Candidate => ({
    ...input,
    feed: parseSelfTestInput(input.text, manifest.inputs, input.path),
  });
  // The inputs of the caller are all parsed before anything slow starts.
  const own = (await readInputs(inputs, manifest.inputs)).map(parse).map((candidate) => [async () => candidate]);
  const tests =
    own.length > 0 ? own : [defaultInputs(manifest.inputs).map((input) => async () => parse(await input()))];
  const session = await withAdvice(open);
  const recorded: SelfTestRecording[] = [];
  for (const [index, candidates] of tests.entries()) {
    const name = `self-test ${index + 1} of ${tests.length}`;
    const { text, found, about } = await firstTelling(session, candidates, (line) => onProgress(`${name}: ${line}`));
    onProgress(`${name}: recorded with ${about}`);
    const input = `self-test-${index + 1}.input.json`;
    const outputs = `self-test-${index + 1}.outputs.json`;
    // Parsed as a page does, so that no file is written that a page would refuse.
    parseSelfTestOutputs(found.text, manifest.outputs, outputs);
    const files = [
      { path: input, text },
      { path: outputs, text: found.text },
    ];
    recorded.push({ spec: { input, outputs, tolerance: found.tolerance }, files, infinite: found.infinite });
  }
  return recorded;
}

interface Candidate extends InputText {
  feed: Outputs;
}

interface Recorded {
  text: string;
  about: string;
  found: Goldens;
}

// Each costs three runs. Where outputs are constant, and not only zeros, more tries rarely help.
const MAX_CONSTANT = 4;

/**
 * The first input whose outputs can be compared across backends, and depend on it; else the first whose outputs can be compared. Throws what
 * is wrong with the last one.
 */
async function firstTelling(
  session: Session,
  candidates: (() => Promise<Candidate>)[],
  onProgress: (line: string) => void,
): Promise<Recorded> {
  let constant: Recorded | undefined;
  let problem: unknown;
  for (const [index, candidate] of candidates.entries()) {
    if (constant && index >= MAX_CONSTANT) break;
    const { text, feed, about } = await candidate();
    if (index > 0) onProgress(`trying ${about}`);
    try {
      const found = goldens(await runReference(session, feed, onProgress));
      if (found.isTelling) return { text, about, found };
      constant ??= { text, about, found };
      onProgress("its outputs do not depend on the input");
    } catch (error) {
      // It does not run at all, whatever the input.
      if (!(isInsituError(error) && error.code === "output_invalid") && messageOf(error) === messageOf(problem)) break;
      problem = error;
      if (index < candidates.length - 1) onProgress(messageOf(error));
    }
  }
  return constant ?? withAdvice(() => Promise.reject(problem));
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function readInputs(paths: string[], specs: InputSpec[]): Promise<InputText[]> {
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
    const bytes = await readFile(path);
    if (isImageFile(bytes)) texts.push(await imageFileInput(specs, bytes, path));
    else texts.push({ text: jsonOf(bytes, path), path, about: path });
  }
  return texts;
}

/** Throws `input_invalid` for a file of another kind: what a JSON parser says of its first byte helps nobody. */
function jsonOf(bytes: Buffer, path: string): string {
  const text = decodeText(bytes, path);
  if (text.trimStart().startsWith("{")) return text;
  const message = `${path} is not an input for a self-test. --self-test takes a JPEG or PNG image, or a JSON file with one tensor for each input (see "insitu pack --help").${otherImage(bytes)}`;
  throw new InsituError("input_invalid", message, { path });
}

/** Images that a browser shows and this program does not decode. */
const OTHER_IMAGES: [name: string, offset: number, bytes: string][] = [
  ["WebP", 8, "WEBP"],
  ["GIF", 0, "GIF8"],
  ["AVIF or HEIC", 4, "ftyp"],
  ["BMP", 0, "BM"],
  ["TIFF", 0, "II*"],
];

function otherImage(bytes: Buffer): string {
  const found = OTHER_IMAGES.find(([, at, mark]) => bytes.toString("latin1", at, at + mark.length) === mark);
  return found ? ` It looks like a ${found[0]} image: save it as PNG.` : "";
}

/** Adds to an error that packing works without the self-test. */
async function withAdvice<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const detail = messageOf(cause);
    if (isInsituError(cause) && cause.code === "output_invalid")
      throw new InsituError("output_invalid", `The self-test cannot be recorded: ${detail} ${ADVICE}`, cause.data);
    const message = `The self-test cannot be recorded, since the model does not run on cpu (${detail}). ${ADVICE}`;
    throw new InsituError("backend_unavailable", message, { backend: "cpu" }, { cause });
  }
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
    const index = data.findIndex(Number.isNaN);
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
