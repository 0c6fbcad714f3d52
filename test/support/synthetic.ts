// Makes model packages of any size whose predictions show which tables, and so which chunks, they come from.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packModel } from "../../src/cli/pack.js";
import type { Manifest } from "../../src/shared/types/manifest.js";

export interface Recipe {
  /** A seed a table; tables of equal seed and rows are equal bytes. */
  tables: number[];
  /** Of each table, at least 8; a row has 4 KiB. Default 1024: a table is one chunk of 4 MiB then. */
  rows?: number;
  /** `one` file that is cut into chunks, or `each` table a file, which is a chunk of its own. Default `one`. */
  files?: "one" | "each";
  /** Default 1. */
  release?: number;
  /** Default `synthetic`. */
  name?: string;
}

const COLUMNS = 1024;
/** Bytes of a table of 1024 rows, and of a chunk. */
export const CHUNK = 4 * 1024 * 1024;
/** What the tests ask the models for: the sum of this row of all tables. */
export const ROW = 7;

/** Writes a package into `dir`. */
export function makePackage(dir: string, recipe: Recipe): Promise<Manifest> {
  const { tables, rows = 1024, files = "one", release = 1, name = "synthetic" } = recipe;
  mkdirSync(dir, { recursive: true });
  const paths = files === "one" ? ["tables.bin"] : tables.map((seed) => `table-${seed}.bin`);
  const bytes = tables.map((seed) => table(seed, rows));
  const contents = files === "one" ? [Buffer.concat(bytes)] : bytes;
  for (const [index, path] of paths.entries()) writeFileSync(join(dir, path), contents[index] as Buffer);
  const model = join(dir, "model.json");
  writeFileSync(model, JSON.stringify(modelJson(tables, rows, paths, `${name} ${release}`)));
  const created = "2026-01-01T00:00:00Z";
  return packModel({
    model,
    out: dir,
    name,
    version: `${release}.0.0`,
    release,
    created,
    selfTest: false,
    plan: false,
  });
}

/** The first four numbers that a model of these tables must predict for `ROW`. */
export function sumOf(tables: number[]): number[] {
  return [0, 1, 2, 3].map((column) => tables.reduce((sum, seed) => sum + value(seed, ROW * COLUMNS + column), 0));
}

/** Bytes of all its files. */
export function sizeOf({ files }: Manifest): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Whole and small, so that sums are exact in float32; another one for each table. */
function value(seed: number, index: number): number {
  return Math.imul(index ^ Math.imul(seed, 0x9e3779b9), 0x85ebca6b) >>> 16;
}

function table(seed: number, rows: number): Buffer {
  const values = Float32Array.from({ length: rows * COLUMNS }, (_, index) => value(seed, index));
  return Buffer.from(values.buffer);
}

const FLOAT = { type: "DT_FLOAT" };
const INT = { type: "DT_INT32" };
const sizes = (...dims: number[]) => ({ dim: dims.map((size) => ({ size: String(size) })) });

/** `sum = AddN(Gather(table, ids))`: a run reads every table. `note` makes it another file in each release. */
function modelJson(tables: number[], rows: number, paths: string[], note: string): unknown {
  const node = [
    { name: "ids", op: "Placeholder", attr: { dtype: INT, shape: { shape: sizes(1) } } },
    ...tables.flatMap((seed) => [
      {
        name: `table_${seed}`,
        op: "Const",
        attr: { dtype: FLOAT, value: { tensor: { dtype: "DT_FLOAT", tensorShape: sizes(rows, COLUMNS) } } },
      },
      {
        name: `row_${seed}`,
        op: "Gather",
        input: [`table_${seed}`, "ids"],
        attr: { Tparams: FLOAT, Tindices: INT, validate_indices: { b: true } },
      },
    ]),
    {
      name: "sum",
      op: "AddN",
      input: tables.map((seed) => `row_${seed}`),
      attr: { T: FLOAT, N: { i: String(tables.length) } },
    },
  ];
  const weights = tables.map((seed) => ({ name: `table_${seed}`, shape: [rows, COLUMNS], dtype: "float32" }));
  return {
    format: "graph-model",
    generatedBy: note,
    convertedBy: null,
    signature: {
      inputs: { ids: { name: "ids:0", dtype: "DT_INT32", tensorShape: sizes(1) } },
      outputs: { sum: { name: "sum:0", dtype: "DT_FLOAT", tensorShape: sizes(1, COLUMNS) } },
    },
    modelTopology: { node, library: {}, versions: { producer: 1, minConsumer: 1 } },
    weightsManifest: [{ paths, weights }],
  };
}
