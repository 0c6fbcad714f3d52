// Reads a table (CSV with a header) as inputs: one row each, one column for each number of the model's input.
import { parse } from "csv-parse/sync";
import { InsituError } from "../shared/errors.js";
import type { InputSpec } from "../shared/types/manifest.js";
import type { InputSource, ReferenceInput } from "./make-profile.js";

const MISSING = new Set(["", "na", "n/a", "nan", "null", "none"]);
/** What a page tells one by one; of more the profile has mean and spread. */
const MAX_COLUMNS = 16;

/** Throws `input_invalid` where the file is no table, or its columns do not fit the model. */
export function readTable(text: string, path: string, inputs: InputSpec[], chosen?: string[]): InputSource {
  const [input] = inputs;
  if (inputs.length !== 1 || !input || input.image)
    throw refuse(path, "is a table, which only a model with one input of numbers reads. Pass input.json files");
  const [header, ...rows] = parseText(text, path);
  if (!header || rows.length === 0) throw refuse(path, "holds no rows below its header");
  const columns = chosen ?? header;
  const places = columns.map((column) => header.indexOf(column));
  const unknown = columns.find((_, index) => (places[index] as number) < 0);
  if (unknown !== undefined)
    throw refuse(path, `has no column ${JSON.stringify(unknown)}. Its columns are ${header.join(", ")}`);
  const width = columns.length;
  const shape = shapeOf(input, width);
  if (!shape)
    throw refuse(
      path,
      `has ${width} columns, the input ${input.name} has the shape [${input.shape.join(", ")}]. Choose its columns in order with --columns a,b,c`,
    );
  return {
    ...(width <= MAX_COLUMNS && { columns }),
    inputs: rows.map((row, index) => {
      // The header is line 1.
      const where = `${path}, line ${index + 2}`;
      return { path: where, read: async () => readRow(row, places, columns, shape, input, where) };
    }),
    skipped: [],
  };
}

function parseText(text: string, path: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, trim: true });
  } catch (cause) {
    throw refuse(path, `is not CSV (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
}

function shapeOf({ shape }: InputSpec, width: number): number[] | undefined {
  const sizes = shape.map((size, axis) => (size === -1 && axis === 0 ? 1 : size));
  const closed = sizes.reduce((product, size) => product * Math.abs(size), 1);
  const open = sizes.filter((size) => size === -1).length;
  if (open > 1 || width % closed !== 0 || (open === 0 && width !== closed)) return undefined;
  return sizes.map((size) => (size === -1 ? width / closed : size));
}

function readRow(
  row: string[],
  places: number[],
  columns: string[],
  shape: number[],
  { name, dtype, allowNonFinite }: InputSpec,
  path: string,
): ReferenceInput {
  const numbers = places.map((place, index) => {
    const cell = row[place] ?? "";
    const isMissing = MISSING.has(cell.toLowerCase());
    const value = isMissing ? Number.NaN : Number(cell);
    if (Number.isFinite(value) || (isMissing && allowNonFinite)) return value;
    const what = isMissing ? "has no value" : `holds ${JSON.stringify(cell.slice(0, 60))}, which is not a number`;
    const advice = isMissing ? ', and the manifest does not allow it ("allowNonFinite")' : "";
    throw new InsituError("input_invalid", `${path}: the column ${columns[index]} ${what}${advice}.`, { path });
  });
  const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
  // In the model's own numbers: a page compares those.
  return { feeds: { [name]: { data: new ARRAYS[dtype](numbers), shape, dtype } }, sizes: {}, path };
}

function refuse(path: string, problem: string, cause?: unknown): InsituError {
  return new InsituError("input_invalid", `${path} ${problem}.`, { path }, { cause });
}
