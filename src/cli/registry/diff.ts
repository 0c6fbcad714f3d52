// Compares two packages by their manifests: what a page that changes from one to the other would notice.
import type { InputSpec, Manifest, ModelTask, TensorSpec } from "../../shared/types/manifest.js";
import { canonicalJson } from "../../worker/package/canonical-json.js";
import { textTable } from "../text-table.js";
import type { FoundPackage } from "./find-package.js";
import { bytesText, numberText } from "./html.js";

export interface Difference {
  /** What differs: `input image shape`, `metric accuracy`. */
  what: string;
  a: string;
  b: string;
  /** For numbers: by how much. */
  change?: string;
}

const NONE = "none";
/** Labels that are named; more are counted. */
const MAX_LABELS = 10;

/** Empty for packages with the same bytes. */
export function diffPackages(
  { manifest: a, digest: from }: FoundPackage,
  { manifest: b, digest: to }: FoundPackage,
): Difference[] {
  if (from === to) return [];
  return [
    ...plain("model", a.name, b.name),
    ...plain("version", a.version, b.version),
    ...plain("release", a.release, b.release),
    ...plain("format", a.format, b.format),
    ...plain("created", a.created, b.created),
    ...plain("expires", a.expires, b.expires),
    ...tensors("input", a.inputs, b.inputs),
    ...tensors("output", a.outputs, b.outputs),
    ...taskDifferences(a.task, b.task),
    ...plain("embedding", a.embedding && JSON.stringify(a.embedding), b.embedding && JSON.stringify(b.embedding)),
    ...files(a, b),
    ...numbers("metric", a.metrics ?? {}, b.metrics ?? {}, numberText),
    ...selfTests(a, b),
    ...plain("license", a.license, b.license),
    ...plain("source", a.source, b.source),
    ...plain("signed by", signers(a), signers(b)),
  ];
}

export function diffText(a: FoundPackage, b: FoundPackage, differences: Difference[]): string {
  if (differences.length === 0)
    return a.digest === b.digest
      ? `${a.name} and ${b.name} have the same digest, ${a.digest}.`
      : `${a.name} and ${b.name} differ in nothing that is compared.`;
  return textTable(
    ["", a.name, b.name, "change"],
    differences.map((one) => [one.what, one.a, one.b, one.change ?? ""]),
  );
}

function plain(what: string, a: string | number | undefined, b: string | number | undefined): Difference[] {
  return a === b ? [] : [{ what, a: String(a ?? NONE), b: String(b ?? NONE) }];
}

function numbers(
  what: string,
  a: Record<string, number>,
  b: Record<string, number>,
  format: (value: number) => string,
): Difference[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.flatMap((name) => {
    const [from, to] = [a[name], b[name]];
    if (from === to) return [];
    const text = (value: number | undefined) => (value === undefined ? NONE : format(value));
    const change = from === undefined || to === undefined ? {} : { change: changeText(from, to, format) };
    return [{ what: `${what} ${name}`, a: text(from), b: text(to), ...change }];
  });
}

function changeText(from: number, to: number, format: (value: number) => string): string {
  const sign = to > from ? "+" : "-";
  const share = from === 0 ? "" : ` (${sign}${((100 * Math.abs(to - from)) / Math.abs(from)).toFixed(1)} %)`;
  return `${sign}${format(Math.abs(to - from))}${share}`;
}

function tensors(what: string, a: TensorSpec[], b: TensorSpec[]): Difference[] {
  const names = [...new Set([...a, ...b].map(({ name }) => name))];
  return names.flatMap((name) => {
    const [from, to] = [a.find((one) => one.name === name), b.find((one) => one.name === name)];
    const tensor = (one: TensorSpec | undefined) => one && `${one.dtype} [${one.shape.join(", ")}]`;
    return [...plain(`${what} ${name}`, tensor(from), tensor(to)), ...imageDifference(`${what} ${name}`, from, to)];
  });
}

/** How pixels become numbers: with another scale the same weights give other results. */
function imageDifference(what: string, a: Partial<InputSpec> = {}, b: Partial<InputSpec> = {}): Difference[] {
  const fields = [...new Set([...Object.keys(a.image ?? {}), ...Object.keys(b.image ?? {})])];
  return fields.flatMap((field) => {
    const text = (spec: Partial<InputSpec>) => {
      const value = (spec.image as Record<string, unknown> | undefined)?.[field];
      return value === undefined ? undefined : JSON.stringify(value);
    };
    return plain(`${what} ${field}`, text(a), text(b));
  });
}

function taskDifferences(a: ModelTask, b: ModelTask): Difference[] {
  const { labels: from = [], ...restA } = a as ModelTask & { labels?: string[] };
  const { labels: to = [], ...restB } = b as ModelTask & { labels?: string[] };
  const task = (rest: object) =>
    Object.entries(rest)
      .map(([key, value]) => (key === "kind" ? value : `${key} ${JSON.stringify(value)}`))
      .join(", ");
  return [...plain("task", task(restA), task(restB)), ...labelDifference(from, to)];
}

function labelDifference(a: string[], b: string[]): Difference[] {
  if (canonicalJson(a) === canonicalJson(b)) return [];
  const listed = (labels: string[]) =>
    labels.slice(0, MAX_LABELS).join(", ") +
    (labels.length > MAX_LABELS ? `, and ${labels.length - MAX_LABELS} more` : "");
  const removed = a.filter((label) => !b.includes(label));
  const added = b.filter((label) => !a.includes(label));
  const isMoved = removed.length === 0 && added.length === 0;
  const change = isMoved
    ? "the same in another order"
    : [removed.length > 0 && `without ${listed(removed)}`, added.length > 0 && `with ${listed(added)}`]
        .filter(Boolean)
        .join(", ");
  return [{ what: "labels", a: String(a.length), b: String(b.length), change }];
}

function files(a: Manifest, b: Manifest): Difference[] {
  const total = ({ files }: Manifest) => ({ "of all files": files.reduce((sum, { size }) => sum + size, 0) });
  const hash = (manifest: Manifest, path: string) => {
    const file = manifest.files.find((one) => one.path === path);
    return file && canonicalJson(file.sha256 ?? file.chunks);
  };
  const size = (manifest: Manifest, path: string) => manifest.files.find((one) => one.path === path)?.size;
  const paths = [...new Set([...a.files, ...b.files].map(({ path }) => path))];
  const changed = paths.flatMap((path): Difference[] => {
    const [from, to] = [size(a, path), size(b, path)];
    if (hash(a, path) === hash(b, path)) return [];
    const text = (bytes: number | undefined) => (bytes === undefined ? NONE : bytesText(bytes));
    return [
      {
        what: `file ${path}`,
        a: text(from),
        b: text(to),
        change: from === to ? "other bytes" : changeText(from ?? 0, to ?? 0, bytesText),
      },
    ];
  });
  return [...numbers("size", total(a), total(b), bytesText), ...changed];
}

function selfTests({ selfTest: a = [] }: Manifest, { selfTest: b = [] }: Manifest): Difference[] {
  const worst = (tests: NonNullable<Manifest["selfTest"]>): Record<string, number> => {
    const limits = tests.flatMap(({ tolerance }) => Object.entries(tolerance));
    return Object.fromEntries(
      limits.map(([backend]) => [
        backend,
        Math.max(...limits.filter(([one]) => one === backend).map(([, limit]) => limit)),
      ]),
    );
  };
  return [
    ...plain("self-tests", a.length, b.length),
    ...numbers("self-test tolerance", worst(a), worst(b), (value) => value.toExponential()),
  ];
}

const signers = ({ signatures = [] }: Manifest): string | undefined =>
  signatures.map(({ keyId }) => keyId).join(", ") || undefined;
