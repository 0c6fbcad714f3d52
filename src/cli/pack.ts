// Turns a tfjs model into a model package: reads the model's inputs and outputs, hashes its files and writes the manifest.
import { basename, dirname, join, resolve } from "node:path";
import type { FileSpec, InputSpec, Manifest, ModelTask, OutputSpec } from "../shared/types/manifest.js";
import { parseManifest } from "../worker/package/manifest.js";
import { parseSelfTestInput, parseSelfTestOutputs } from "../worker/package/self-test-files.js";
import { parseModelJson } from "../worker/package/topology.js";
import type { Session } from "../worker/runtime/session/engine.js";
import { checkLabels, type DetectedTask, detectTask } from "./detect-task.js";
import { checkEmbedding } from "./embedding-node.js";
import { describeText } from "./files.js";
import { withRanges } from "./index-range.js";
import { draftText } from "./inspect.js";
import { type KeyFile, readKey } from "./keys.js";
import { findModel, modelSpecs, type ParsedModel, readModel } from "./model-file.js";
import { type RecordedPlans, recordPlans } from "./plans.js";
import { needsProbe, type Probed, probe } from "./probe.js";
import { recordSelfTests, type SelfTestRecording } from "./record.js";
import { openOnCpu } from "./self-tests.js";
import { signedText } from "./sign.js";
import { readTask, type TaskFile } from "./task-file.js";
import { readTeachableMachine, type TeachableMachine } from "./teachable-machine.js";
import { type MergedSpecs, mergeSpecs, withModelNames } from "./tensor-specs.js";
import { writePackage } from "./write.js";

export interface PackOptions {
  /** Path of tfjs's `model.json`, with its weight files beside it, or of the folder that holds it. */
  model: string;
  /** Folder to write; created if missing. @defaultValue `public/models/<name>` */
  out?: string;
  /** @defaultValue the name that Teachable Machine wrote, else that of the file, or of its folder if the file is `model.json` */
  name?: string;
  /** A semantic version. @defaultValue 1.0.0 */
  version?: string;
  /** Increases with each published version. @defaultValue 1 */
  release?: number;
  /** Path of a JSON file, or its content: a {@link TaskFile} or a bare task. @defaultValue detected from the labels, else `raw` */
  task?: string | TaskFile | ModelTask;
  /** Path of a text file with one label a line. @defaultValue the task's own labels */
  labels?: string;
  /** ISO 8601. Set it for reproducible builds. @defaultValue now */
  created?: string;
  /** ISO 8601: pages refuse the package from then on. @defaultValue never */
  expires?: string;
  /** Path of a key file made by `insitu keygen`. @defaultValue not signed */
  sign?: string;
  /** Paths of input files or images, one self-test each; false for no self-test. @defaultValue one self-test on noise or a photo */
  selfTest?: string[] | false;
  /** False for a package without plans. @defaultValue plans of one item, where the model can have them */
  plan?: boolean;
  /** Receives a line of text for each slow step. */
  onProgress?: (line: string) => void;
  /** Receives what was found in the model, as text, and the folder, before the package is made. */
  onDraft?: (text: string, out: string) => void;
  /** Write into a folder that holds other files too. @defaultValue false */
  force?: boolean;
}

/** What is known of the model before its self-tests are recorded. */
interface Description {
  source: ParsedModel;
  given: TaskFile;
  inputs: InputSpec[];
  outputs: OutputSpec[];
  detected: DetectedTask;
  name: string;
}

const DEFAULT_VERSION = "1.0.0";
const DEFAULT_FOLDER = "public/models";

/**
 * Writes a package and resolves to its manifest. If it throws, nothing was written.
 *
 * @throws `model_format` if the model or the resulting manifest is not valid, `input_invalid` if an option is not valid,
 * `backend_unavailable` or `output_invalid` if no self-test can be recorded.
 * @example
 * await packModel({ model: "model.json", out: "public/models/objects", name: "objects", version: "1.0.0" });
 */
export async function packModel(options: PackOptions): Promise<Manifest> {
  const key = options.sign === undefined ? undefined : await readKey(options.sign);
  const source = await readModel(await findModel(options.model));
  const reference = new Reference(source);
  try {
    const description = await describeModel(source, reference, options);
    const out = options.out ?? join(DEFAULT_FOLDER, description.name);
    const path = join(out, "insitu.json");
    const fields = manifestFields(description, options);
    const untested = parseManifest(JSON.stringify(fields), path);
    parseModelJson(source.text, untested, source.path);
    checkLabels(untested);
    checkEmbedding(untested, source.json, source.path);
    options.onDraft?.(draftText(untested, description.detected.about, out), out);
    const { selfTest, onProgress } = options;
    const open = () => reference.open(untested);
    const recordings =
      selfTest === false ? [] : await recordSelfTests({ manifest: untested, open, inputs: selfTest, onProgress });
    const tested = withSelfTests(fields, recordings);
    const plans = options.plan === false ? [] : [await packPlans(parseManifest(JSON.stringify(tested), path), source, recordings, onProgress)]; // biome-ignore format: one line
    const manifest = parseManifest(JSON.stringify(plans.reduce(withPlans, tested)), path);
    const text = await manifestFile(manifest, key, path);
    const texts = [...recordings, ...plans].flatMap(({ files }) => files);
    await writePackage({ text, manifest, from: source.folder, texts }, out, options.force);
    return parseManifest(text, path);
  } finally {
    reference.close();
  }
}

/** The model on cpu, opened when it is first run. */
class Reference {
  readonly #source: ParsedModel;
  #session: Promise<Session> | undefined;

  constructor(source: ParsedModel) {
    this.#source = source;
  }

  /** Every caller has the same inputs, and outputs of the same names. */
  open(specs: Pick<Manifest, "inputs" | "outputs">): Promise<Session> {
    const { model, folder } = this.#source;
    this.#session ??= openOnCpu(specs, model, folder);
    return this.#session;
  }

  close(): void {
    this.#session?.then((session) => session.dispose()).catch(() => undefined);
  }
}

// ---- what the model is -------------------------------------------------------------------------------------------

async function describeModel(source: ParsedModel, reference: Reference, options: PackOptions): Promise<Description> {
  const declared = await modelSpecs(source);
  const teachable = await readTeachableMachine(source.folder, declared);
  const { file, labels } = await readTask(options);
  const named = withModelNames(file, declared, source.json, source.path);
  const given = teachable ? merge(teachable.given, named, labels) : named;
  const specs = mergeSpecs(declared, given, source.path);
  if (options.selfTest !== false)
    specs.inputs = await withRanges(specs.inputs, source, () => openSpecs(reference, specs));
  const isDetected = given.task === undefined;
  const probed = await runOnce(source.path, reference, specs, isDetected && labels !== undefined);
  const outputs = probed?.outputs ?? (specs.outputs as OutputSpec[]);
  const stated = { task: given.task as ModelTask, about: teachable && !named.task ? teachable.about : "declared" };
  return {
    source,
    given,
    inputs: specs.inputs,
    outputs,
    detected: isDetected ? detectTask(labels, outputs, probed?.run) : stated,
    name: options.name ?? defaultName(source.path, teachable),
  };
}

/** The publisher's own task file wins over what Teachable Machine wrote. */
function merge(teachable: TaskFile, given: TaskFile, labels?: string[]): TaskFile {
  const task = given.task ?? (teachable.task && labels ? { ...teachable.task, labels } : teachable.task);
  return { ...given, task: task as ModelTask, inputs: given.inputs ?? teachable.inputs };
}

/** Where specs are missing or open, the model must run; where only the activation is wanted, it may. */
async function runOnce(
  path: string,
  reference: Reference,
  specs: MergedSpecs,
  isWanted: boolean,
): Promise<Probed | undefined> {
  const isNeeded = needsProbe(specs);
  if (!isNeeded && !isWanted) return undefined;
  try {
    return await probe(await openSpecs(reference, specs), specs, path);
  } catch (error) {
    if (isNeeded) throw error;
    return undefined;
  }
}

/** For a run the names of the outputs are enough. */
function openSpecs(reference: Reference, { inputs, outputs }: MergedSpecs): Promise<Session> {
  return reference.open({ inputs, outputs: outputs.map(({ name }) => ({ name, dtype: "float32", shape: [] })) });
}

function defaultName(path: string, teachable: TeachableMachine | undefined): string {
  const file = basename(path, ".json");
  const given = teachable?.name ?? (file === "model" ? basename(dirname(resolve(path))) : file);
  const name = given
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return name || "model";
}

// ---- the manifest ------------------------------------------------------------------------------------------------

async function manifestFile(manifest: Manifest, key: KeyFile | undefined, path: string): Promise<string> {
  return key ? signedText({ ...manifest }, key, path) : `${JSON.stringify(manifest, null, 2)}\n`;
}

function packPlans(
  manifest: Manifest,
  { model, folder }: ParsedModel,
  recordings: SelfTestRecording[],
  onProgress?: (line: string) => void,
): Promise<RecordedPlans> {
  const tests = recordings.map(({ spec, files: [input, outputs] }) => ({
    inputs: parseSelfTestInput(input?.text ?? "", manifest.inputs, spec.input),
    outputs: parseSelfTestOutputs(outputs?.text ?? "", manifest.outputs, spec.outputs),
    tolerance: spec.tolerance,
  }));
  return recordPlans({ manifest, model, folder, tests, onProgress });
}

function withPlans<T extends { files: FileSpec[] }>(fields: T, { specs, files }: RecordedPlans): T {
  if (specs.length === 0) return fields;
  return {
    ...fields,
    files: [...fields.files, ...files.map(({ path, text }) => describeText(text, path))],
    plans: specs,
  };
}

function withSelfTests<T extends { files: FileSpec[]; outputs: OutputSpec[] }>(
  fields: T,
  recordings: SelfTestRecording[],
): T {
  if (recordings.length === 0) return fields;
  const files = recordings.flatMap((recording) => recording.files);
  const described = files.map(({ path, text }) => describeText(text, path));
  const infinite = new Set(recordings.flatMap((recording) => recording.infinite));
  const outputs = fields.outputs.map((output) =>
    infinite.has(output.name) ? { ...output, allowInfinite: true } : output,
  );
  const selfTest = recordings.map(({ spec }) => spec);
  return { ...fields, files: [...fields.files, ...described], outputs, selfTest };
}

function manifestFields({ source, given, inputs, outputs, detected, name }: Description, options: PackOptions) {
  return {
    insitu: 1,
    name,
    version: options.version ?? DEFAULT_VERSION,
    release: options.release ?? 1,
    created: options.created ?? new Date().toISOString(),
    expires: options.expires,
    format: source.model.format,
    files: source.files,
    inputs,
    outputs,
    task: detected.task,
    embedding: given.embedding,
    license: given.license,
    source: given.source,
    metrics: given.metrics,
  };
}
