// Describes a package, or a tfjs model that is not packed yet, as data and as text.
import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type {
  EmbeddingSpec,
  InputSpec,
  Manifest,
  ModelTask,
  ReferenceProfile,
  SelfTestSpec,
} from "../shared/types/manifest.js";
import { formatOf, operations, weightsOf } from "../worker/package/topology.js";
import { fileSize } from "./files.js";
import type { Guess } from "./guess.js";
import { findModel, readModelJson } from "./model-file.js";
import { type PlanSummary, planText, shapesText, summaryOf } from "./plan-summary.js";
import { readPlans } from "./plans.js";
import { declaredSpecs } from "./tensor-specs.js";
import { readPackage } from "./verify.js";

/** The output of `insitu inspect --json`. Only a package has the first four fields and a task. */
export interface Inspection {
  name?: string;
  version?: string;
  release?: number;
  digest?: string;
  format: Manifest["format"];
  /** The shape is undefined if the model does not declare it. */
  inputs: (Guess & Pick<InputSpec, "image">)[];
  outputs: Guess[];
  task?: ModelTask;
  embedding?: EmbeddingSpec;
  selfTest?: SelfTestSpec[];
  /** Those for this version's binary. */
  plans?: PlanSummary[];
  reference?: ReferenceProfile;
  metrics?: Record<string, number>;
  license?: string;
  source?: string;
  expires?: string;
  /** Ids of the keys named in its signatures, which are not verified here. */
  signedBy?: string[];
  files: { path: string; size: number }[];
  /** Total of all files. */
  bytes: number;
  weights: number;
  /** The number of nodes or layers of each kind, the most frequent first. */
  ops: Record<string, number>;
}

/** `target` is a package's folder, its `insitu.json`, or a tfjs `model.json`. */
export async function inspect(target: string): Promise<Inspection> {
  const found = await stat(target).catch(() => undefined);
  if (!found) {
    const message = `${target} does not exist. Pass a package's folder or a model.json.`;
    throw new InsituError("input_invalid", message, { target });
  }
  if (found.isDirectory()) {
    const isPackage = await stat(join(target, "insitu.json")).catch(() => undefined);
    return isPackage ? inspectPackage(target) : inspectModel(await findModel(target));
  }
  return basename(target) === "insitu.json" ? inspectPackage(dirname(target)) : inspectModel(target);
}

async function inspectPackage(folder: string): Promise<Inspection> {
  const { manifest, digest, model } = await readPackage(folder);
  const { name, version, release, format, inputs, outputs, task, selfTest, metrics } = manifest;
  const { license, source, expires, embedding, reference } = manifest;
  const signedBy = (manifest.signatures ?? []).map(({ keyId }) => keyId);
  const files = manifest.files.map(({ path, size }) => ({ path, size }));
  return {
    name,
    version,
    release,
    digest,
    format,
    inputs,
    outputs,
    task,
    embedding,
    selfTest,
    plans: (await readPlans(manifest, folder)).map(({ path, plan }) => summaryOf(path, plan)),
    reference,
    metrics,
    license,
    source,
    expires,
    signedBy,
    files,
    bytes: sum(files),
    weights: model.weightSpecs.length,
    ops: histogram(model.json, folder),
  };
}

async function inspectModel(path: string): Promise<Inspection> {
  const { json } = await readModelJson(path);
  const format = formatOf(json, path);
  const { weightFiles, weightSpecs } = weightsOf(json, path);
  const files: Inspection["files"] = [];
  for (const name of [basename(path), ...weightFiles])
    files.push({ path: name, size: await fileSize(join(dirname(path), name)) });
  const { inputs, outputs } = declaredSpecs(json, path);
  return {
    format,
    inputs,
    outputs,
    files,
    bytes: sum(files),
    weights: weightSpecs.length,
    ops: histogram(json, path),
  };
}

const sum = (files: { size: number }[]): number => files.reduce((total, { size }) => total + size, 0);

function histogram(json: Record<string, unknown>, url: string): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { op } of operations(json, url)) counts.set(op, (counts.get(op) ?? 0) + 1);
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}

// ---- as text -----------------------------------------------------------------------------------------------------

const row = (label: string, value: string): string => `${label.padEnd(9)}${value}`;

export function inspectionText(found: Inspection): string {
  const ops = Object.entries(found.ops).map(([op, count]) => `${op} ${count}`);
  const rows = [
    ...(found.name ? [row("package", `${found.name} ${found.version}, release ${found.release}`)] : []),
    row("format", found.format),
    ...found.inputs.map(inputRow),
    ...found.outputs.map((output) => row("output", tensorText(output))),
    ...(found.task ? [row("task", taskText(found.task, found.outputs))] : []),
    ...(found.embedding ? [row("embed", `${found.embedding.node}, pool ${found.embedding.pool}`)] : []),
    ...(found.selfTest ?? []).map((test) => row("selftest", selfTestText(test))),
    ...(found.plans ?? []).map((plan) => row("plan", planText(plan))),
    ...(found.reference ? [row("profile", profileText(found.reference))] : []),
    ...Object.entries(found.metrics ?? {}).map(([name, figure]) => row("metric", `${name} ${figure}`)),
    ...(found.license ? [row("license", found.license)] : []),
    ...(found.signedBy ? [row("signed", signedText(found.signedBy))] : []),
    ...(found.expires ? [row("expires", found.expires)] : []),
    ...found.files.map(({ path, size }) => row("file", `${path}, ${size} bytes`)),
    row("bytes", `${found.bytes} in ${found.files.length} files, ${found.weights} weights`),
    row("ops", ops.join(", ")),
    ...(found.digest ? [row("digest", found.digest)] : []),
  ];
  return rows.join("\n");
}

const signedText = (keyIds: string[]): string => (keyIds.length > 0 ? `by ${keyIds.join(", ")}, not verified` : "no");

/** What `pack` found in a model, before it makes the package. */
export function draftText({ format, inputs, outputs, task, files }: Manifest, about: string, out: string): string {
  return [
    row("format", `${format}, ${files.length} files, ${sum(files)} bytes`),
    ...inputs.map(inputRow),
    ...outputs.map((output) => row("output", tensorText(output))),
    row("task", `${taskText(task, outputs)} (${about})`),
    row("out", out),
  ].join("\n");
}

/** The summary that `pack`, `verify` and `sign` print. */
export function manifestText(manifest: Manifest, digest: string): string {
  const {
    name,
    version,
    release,
    inputs,
    outputs,
    task,
    selfTest = [],
    plans = [],
    files,
    expires,
    reference,
  } = manifest;
  return [
    row("package", `${name} ${version}, release ${release}`),
    row("files", `${files.map(({ path }) => path).join(", ")} (${sum(files)} bytes)`),
    row("inputs", inputs.map(tensorText).join(", ")),
    row("outputs", outputs.map(tensorText).join(", ")),
    row("task", taskText(task, outputs)),
    ...selfTest.map((test) => row("selftest", selfTestText(test))),
    ...plans.map(({ path, inputs }) => row("plan", `${path}, for ${shapesText(inputs)}`)),
    ...(reference ? [row("profile", profileText(reference))] : []),
    ...(expires ? [row("expires", expires)] : []),
    row("digest", digest),
  ].join("\n");
}

function inputRow(input: Inspection["inputs"][number]): string {
  return row("input", tensorText(input) + (input.image ? `, image (${input.image.fit})` : ""));
}

function tensorText({ name, dtype, shape, unsupported }: Guess): string {
  return `${name} ${dtype ?? unsupported ?? "?"} ${shape ? `[${shape.join(", ")}]` : "(shape unknown)"}`;
}

function selfTestText({ input, outputs, tolerance }: SelfTestSpec): string {
  const limits = Object.entries(tolerance).map(([backend, limit]) => `${backend} ${limit.toExponential()}`);
  return `${input}, ${outputs}, tolerance ${limits.join(", ")}`;
}

function profileText({ samples, features, confidence }: ReferenceProfile): string {
  const names = features.map(({ name }) => name).join(", ");
  return `of ${samples} inputs: ${[names, confidence && "confidence"].filter(Boolean).join(", ")}`;
}

/** The line that `verify` prints where plans were replayed. */
export function replayedText(runs: number): string[] {
  return runs > 0 ? [row("passed", `plan on ${runs} self-test${runs > 1 ? "s" : ""}`)] : [];
}

/** The line that `verify` prints for a self-test that passed. */
export function passedText(number: number, worst: number): string {
  return row("passed", `self-test ${number} on cpu, largest error ${worst.toExponential(1)}`);
}

/** Of several outputs a task reads one, by default the first. */
function taskText(task: ModelTask, outputs: Guess[]): string {
  const labels = "labels" in task ? `, ${task.labels.length} labels` : "";
  if (outputs.length < 2 || task.kind === "raw") return task.kind + labels;
  const read = task.output ?? outputs[0]?.name;
  const others = outputs.map(({ name }) => name).filter((name) => name !== read);
  return `${task.kind}${labels}, of the output ${read} (not ${others.join(", ")}: "output" in the task chooses)`;
}
