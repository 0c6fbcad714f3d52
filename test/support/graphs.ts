// Small packages of any number of chunks with known outputs.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packModel } from "../../src/cli/pack.js";

export interface Recipe {
  /** A table a number, which seeds its content: tables of one seed are the same chunk. */
  tables: readonly number[];
  /** Of each table, 4 KiB a row. 1024 rows are 4 MiB, which is one chunk. */
  rows: number;
  /** All tables in `weights.bin`, or each in a file of its own. Default together. */
  files?: "together" | "apart";
  name?: string;
  version?: string;
  release?: number;
  /** Puts a NaN at the start of this row of the first table. */
  nanInRow?: number;
}

export const TABLE_BYTES = 4 * 1024 * 1024;
const COLUMNS = 1024;

/** Writes the package `sum = AddN(GatherV2(table, ids))` of all tables into `folder`. */
export async function makeGraph(folder: string, recipe: Recipe): Promise<void> {
  const { name = "tables", version = "1.0.0", release = 1 } = recipe;
  mkdirSync(folder, { recursive: true });
  const axis = Buffer.alloc(4);
  const tables = recipe.tables.map((seed) => table(seed, recipe.rows));
  if (recipe.nanInRow !== undefined) {
    const at = recipe.nanInRow * COLUMNS * 4;
    tables[0] = Buffer.from(tables[0] as Buffer).fill(0xff, at, at + 4);
  }
  const files: [path: string, content: Buffer][] =
    recipe.files === "apart"
      ? [...tables.map((bytes, index): [string, Buffer] => [`table_${index}.bin`, bytes]), ["axis.bin", axis]]
      : [["weights.bin", Buffer.concat([...tables, axis])]];
  for (const [path, content] of files) writeFileSync(join(folder, path), content);
  const model = join(folder, "model.json");
  writeFileSync(
    model,
    JSON.stringify(
      graph(
        recipe,
        files.map(([path]) => path),
      ),
    ),
  );
  await packModel({ model, out: folder, name, version, release, created: "2026-01-31T12:00:00Z", selfTest: false, plan: false }); // biome-ignore format: one line
}

/** The first three numbers that the package of `recipe` predicts for row `id`. */
export function answerOf({ tables, rows }: Recipe, id: number): number[] {
  const sums = [0, 0, 0];
  for (const bytes of tables.map((seed) => table(seed, rows))) {
    for (const index of sums.keys())
      sums[index] = (sums[index] as number) + bytes.readFloatLE((id * COLUMNS + index) * 4);
  }
  return sums;
}

// biome-ignore lint/suspicious/noExplicitAny: tests put into it what no type would allow.
type Json = any;

/** Changes the manifest and the model's description of a package, and makes sizes and hashes fit what lies in the folder. */
export function republish(folder: string, change: (manifest: Json, model: Json) => void): void {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Json;
  const [manifest, model] = [read("insitu.json"), read("model.json")];
  change(manifest, model);
  writeFileSync(join(folder, "model.json"), JSON.stringify(model));
  for (const file of manifest.files) {
    const path = join(folder, file.path);
    // Files in chunks, and paths that tests made up, stay as they are.
    if (!file.sha256 || !statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    const bytes = readFileSync(path);
    Object.assign(file, { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  writeFileSync(join(folder, "insitu.json"), JSON.stringify(manifest));
}

// ---- content -----------------------------------------------------------------------------------------------------

const made = new Map<string, Buffer>();

function table(seed: number, rows: number): Buffer {
  const known = made.get(`${seed} ${rows}`);
  if (known) return known;
  const values = new Float32Array(rows * COLUMNS);
  let state = Math.imul(seed + 1, 0x9e3779b9) || 1;
  for (let index = 0; index < values.length; index += 1) {
    // Marsaglia's xorshift, the same in every run.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[index] = state / 2 ** 31;
  }
  const bytes = Buffer.from(values.buffer);
  made.set(`${seed} ${rows}`, bytes);
  return bytes;
}

const FLOAT = { type: "DT_FLOAT" };
const INT = { type: "DT_INT32" };
const sizes = (...dims: number[]) => ({ dim: dims.map((size) => ({ size: String(size) })) });
const constant = (dtype: string, tensorShape: object) => ({
  dtype: { type: dtype },
  value: { tensor: { dtype, tensorShape } },
});

function graph({ tables, rows }: Recipe, paths: string[]): unknown {
  const each = tables.map((_, index) => index);
  const node = [
    { name: "ids", op: "Placeholder", attr: { dtype: INT, shape: { shape: sizes(1) } } },
    { name: "axis", op: "Const", attr: constant("DT_INT32", {}) },
    ...each.flatMap((index) => [
      { name: `table_${index}`, op: "Const", attr: constant("DT_FLOAT", sizes(rows, COLUMNS)) },
      {
        name: `row_${index}`,
        op: "GatherV2",
        input: [`table_${index}`, "ids", "axis"],
        attr: { Tparams: FLOAT, Tindices: INT, Taxis: INT, batch_dims: { i: "0" } },
      },
    ]),
    {
      name: "sum",
      op: "AddN",
      input: each.map((index) => `row_${index}`),
      attr: { T: FLOAT, N: { i: `${each.length}` } },
    },
  ];
  const weights = [
    ...each.map((index) => ({ name: `table_${index}`, shape: [rows, COLUMNS], dtype: "float32" })),
    // Last, so that tables begin where chunks do.
    { name: "axis", shape: [], dtype: "int32" },
  ];
  return {
    format: "graph-model",
    signature: {
      inputs: { ids: { name: "ids:0", dtype: "DT_INT32", tensorShape: sizes(1) } },
      outputs: { sum: { name: "sum:0", dtype: "DT_FLOAT", tensorShape: sizes(1, COLUMNS) } },
    },
    modelTopology: { node, library: {}, versions: { producer: 1, minConsumer: 1 } },
    weightsManifest: [{ paths, weights }],
  };
}
