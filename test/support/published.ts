// A tiny model, packed by `insitu pack` and published by a host in memory, where a test can replace any file.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packModel } from "../../src/cli/pack.js";
import { randomBytes } from "./chunked.js";

/** Path in the package to bytes; `insitu.json` is among them. */
export type Published = Map<string, Uint8Array<ArrayBuffer>>;

export interface Edition {
  release: number;
  name?: string;
  /** Seeds the weights; editions of one seed have the same files. Default: the release. */
  seed?: number;
  /** ISO 8601. */
  expires?: string;
}

const FLOAT = { type: "DT_FLOAT" };
const dim = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size: String(size) })) });
const node = [
  { name: "x", op: "Placeholder", attr: { dtype: FLOAT, shape: { shape: dim(1, 2) } } },
  { name: "w", op: "Const", attr: { dtype: FLOAT } },
  { name: "b", op: "Const", attr: { dtype: FLOAT } },
  { name: "m", op: "MatMul", input: ["x", "w"], attr: { T: FLOAT } },
  { name: "y", op: "AddV2", input: ["m", "b"], attr: { T: FLOAT } },
];
const MODEL = {
  format: "graph-model",
  signature: {
    inputs: { x: { name: "x:0", dtype: "DT_FLOAT", tensorShape: dim(1, 2) } },
    outputs: { y: { name: "y:0", dtype: "DT_FLOAT", tensorShape: dim(1, 300) } },
  },
  modelTopology: { node, versions: {} },
  weightsManifest: [
    { paths: ["w.bin"], weights: [{ name: "w", shape: [2, 300], dtype: "float32" }] },
    { paths: ["b.bin"], weights: [{ name: "b", shape: [300], dtype: "float32" }] },
  ],
};

/** `y = x · w + b`, 2400 and 1200 bytes of weights. */
export async function pack({ release, name = "tiny", seed = release, expires }: Edition): Promise<Published> {
  const folder = mkdtempSync(join(tmpdir(), "insitu-published-"));
  try {
    writeFileSync(join(folder, "model.json"), JSON.stringify(MODEL));
    writeFileSync(join(folder, "w.bin"), randomBytes(2400, seed));
    writeFileSync(join(folder, "b.bin"), randomBytes(1200, seed + 1000));
    const created = "2026-01-01T00:00:00Z";
    await packModel({
      model: join(folder, "model.json"),
      out: folder,
      name,
      version: `${release}.0.0`,
      release,
      created,
      selfTest: false,
      plan: false,
    });
    const published: Published = new Map();
    for (const path of ["insitu.json", "model.json", "w.bin", "b.bin"])
      published.set(path, new Uint8Array(readFileSync(join(folder, path))));
    if (expires !== undefined) editManifest(published, (manifest) => Object.assign(manifest, { expires }));
    return published;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function editManifest(published: Published, edit: (manifest: Record<string, unknown>) => void): void {
  const manifest = JSON.parse(new TextDecoder().decode(published.get("insitu.json"))) as Record<string, unknown>;
  edit(manifest);
  published.set("insitu.json", new TextEncoder().encode(JSON.stringify(manifest)));
}

/** Adds a file to the package and to its manifest. */
export function publish(published: Published, path: string, content: unknown): void {
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  published.set(path, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  editManifest(published, ({ files }) => (files as unknown[]).push({ path, size: bytes.length, sha256 }));
}

/** The weights as the model reads them. */
export const weightsOf = (published: Published): Uint8Array =>
  new Uint8Array([...(published.get("w.bin") ?? []), ...(published.get("b.bin") ?? [])]);
