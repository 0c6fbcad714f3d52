// Creates synthetic model packages of several sizes for measuring loads: sums of embedding look-ups.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packModel } from "../src/cli/pack.js";

/** Under `.cache`, which git ignores. */
export const PACKAGES_DIR = join(".cache", "bench", "packages");

interface Recipe {
  name: string;
  tables: number;
  /** Rows of each table; a row has 1024 numbers. */
  rows: number;
  /** The type in the files; in memory the tables are always float32. */
  stored: keyof typeof STORED_BYTES;
}

/** Sizes are of the files, in 1024 * 1024 bytes: a quantised variant of the same size holds two or four times the numbers. */
export const RECIPES = [
  // Loaded first, so that worker and backend are started before the clock.
  { name: "tiny", tables: 1, rows: 16, stored: "float32" },
  { name: "4MB", tables: 4, rows: 256, stored: "float32" },
  { name: "32MB", tables: 4, rows: 2048, stored: "float32" },
  { name: "256MB", tables: 32, rows: 2048, stored: "float32" },
  { name: "32MB-float16", tables: 8, rows: 2048, stored: "float16" },
  { name: "32MB-uint8", tables: 16, rows: 2048, stored: "uint8" },
] as const satisfies Recipe[];
export type PackageName = (typeof RECIPES)[number]["name"];

const COLUMNS = 1024;
const STORED_BYTES = { float32: 4, float16: 2, uint8: 1 } as const;
// Shard size of tensorflowjs_converter (write_weights.py, shard_size_bytes).
const SHARD_BYTES = 4 * 1024 * 1024;
// Increase it whenever this file creates different bytes: packages of another version are created again.
const VERSION = "1.0.0";

/** Creates the packages that are missing or outdated. */
export async function makePackages(names: readonly PackageName[], say: (line: string) => void): Promise<void> {
  for (const recipe of RECIPES) {
    if (!names.includes(recipe.name) || isCurrent(recipe)) continue;
    say(`creating the package ${recipe.name} in ${PACKAGES_DIR}`);
    await create(recipe);
  }
}

/** Bytes of all files that the manifest lists: the model's own size. */
export function packageBytes(name: PackageName): number {
  const manifest = JSON.parse(readFileSync(join(PACKAGES_DIR, name, "insitu.json"), "utf8"));
  return manifest.files.reduce((sum: number, file: { size: number }) => sum + file.size, 0);
}

function isCurrent({ name }: Recipe): boolean {
  const path = join(PACKAGES_DIR, name, "insitu.json");
  // The manifest is written last: without it the package is incomplete.
  return existsSync(path) && JSON.parse(readFileSync(path, "utf8")).version === VERSION;
}

async function create(recipe: Recipe): Promise<void> {
  const dir = join(PACKAGES_DIR, recipe.name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const paths = writeShards(recipe, dir);
  const model = join(dir, "model.json");
  writeFileSync(model, JSON.stringify(modelJson(recipe, paths)));
  const created = "2025-01-01T00:00:00Z";
  await packModel({ model, out: dir, name: `bench-${recipe.name}`, version: VERSION, created, selfTest: false });
}

// ---- the graph ---------------------------------------------------------------------------------------------------

const FLOAT = { type: "DT_FLOAT" };
const INT = { type: "DT_INT32" };
const sizes = (...dims: number[]) => ({ dim: dims.map((size) => ({ size: String(size) })) });

/** `sum = AddN(GatherV2(table_i, ids))`: every table is read, and the run itself takes almost no time. */
function modelJson({ tables, rows, stored }: Recipe, paths: string[]): unknown {
  const each = Array.from({ length: tables }, (_, index) => index);
  const quantization = { float32: undefined, float16: { dtype: stored }, uint8: { dtype: stored, scale: 0.001, min: -0.128 } }[stored]; // biome-ignore format: one a line of the table
  const node = [
    { name: "ids", op: "Placeholder", attr: { dtype: INT, shape: { shape: sizes(1) } } },
    { name: "axis", op: "Const", attr: { dtype: INT, value: { tensor: { dtype: "DT_INT32", tensorShape: {} } } } },
    ...each.flatMap((index) => [
      {
        name: `table_${index}`,
        op: "Const",
        attr: { dtype: FLOAT, value: { tensor: { dtype: "DT_FLOAT", tensorShape: sizes(rows, COLUMNS) } } },
      },
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
      attr: { T: FLOAT, N: { i: String(tables) } },
    },
  ];
  const weights = [
    { name: "axis", shape: [], dtype: "int32" },
    ...each.map((index) => ({ name: `table_${index}`, shape: [rows, COLUMNS], dtype: "float32", quantization })),
  ];
  return {
    format: "graph-model",
    generatedBy: "insitu bench/packages.ts",
    convertedBy: null,
    signature: {
      inputs: { ids: { name: "ids:0", dtype: "DT_INT32", tensorShape: sizes(1) } },
      outputs: { sum: { name: "sum:0", dtype: "DT_FLOAT", tensorShape: sizes(1, COLUMNS) } },
    },
    modelTopology: { node, library: {}, versions: { producer: 1, minConsumer: 1 } },
    weightsManifest: [{ paths, weights }],
  };
}

// ---- the weights -------------------------------------------------------------------------------------------------

/** Splits all weights into shards and returns the file names. */
function writeShards(recipe: Recipe, dir: string): string[] {
  const total = 4 + recipe.tables * recipe.rows * COLUMNS * STORED_BYTES[recipe.stored];
  const count = Math.ceil(total / SHARD_BYTES);
  const paths = Array.from({ length: count }, (_, index) => `group1-shard${index + 1}of${count}.bin`);
  const shard = Buffer.alloc(SHARD_BYTES);
  let filled = 0;
  let written = 0;
  const flush = () => {
    writeFileSync(join(dir, paths[written++] ?? ""), shard.subarray(0, filled));
    filled = 0;
  };
  for (const bytes of weights(recipe)) {
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(bytes.length - at, SHARD_BYTES - filled);
      shard.set(bytes.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === SHARD_BYTES) flush();
    }
  }
  if (filled > 0) flush();
  return paths;
}

/** The axis comes first: its four bytes make every table cross shard boundaries, as real weights do. */
function* weights({ tables, rows, stored }: Recipe): Generator<Uint8Array> {
  yield new Uint8Array(4);
  for (let index = 0; index < tables; index += 1) yield table(rows * COLUMNS, stored, index + 1);
}

/** Different numbers for each seed: equal tables would be equal chunks, which are stored once. */
function table(count: number, stored: Recipe["stored"], seed: number): Uint8Array {
  const next = random(seed);
  const numbers = { float32: Float32Array, float16: Uint16Array, uint8: Uint8Array }[stored];
  const values = new numbers(count);
  const draw = {
    float32: () => next() / 2 ** 32 - 0.5,
    // Exponents 8 to 14 of 31: finite, normal and under 1.
    float16: () => ((bits) => (bits & 0x83ff) | ((8 + ((bits >>> 16) % 7)) << 10))(next()),
    uint8: () => next() >>> 24,
  }[stored];
  for (let at = 0; at < count; at += 1) values[at] = draw();
  return new Uint8Array(values.buffer);
}

/** Returns 32 random bits per call (Marsaglia's xorshift), the same in every run. */
function random(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
