// A plan as text: how it is written, and what is refused when it is read. Whether its steps are safe to run is for `check-plan.ts`.
import { type At, filled, integer, isObject, keyName, list, object, oneOf, own, parseJson, refuse, shape, show, text, under } from "../../../shared/json-fields.js"; // biome-ignore format: one line
import type { DType } from "../../../shared/types/tensor.js";
import type { CopyBlock, Part } from "./steps.js";
import { type Arg, PLAN_FORMAT, type StoredPlan, type StoredStep, type StoredTensor } from "./stored-plan.js";
import { bytesPerElement, sizeOf } from "./wasm-module.js";

/** The graphs of tfjs's largest models have 3,000 nodes, which are 0.3 MB of text. */
const MAX_PLAN_TEXT = 16 * 2 ** 20;
const MAX_TENSORS = 200_000;
const PARTS = ["run", "embed"] as const satisfies Part[];
const DTYPES = ["float32", "int32", "bool"] as const satisfies DType[];
const ADVICE = "Pack the model again.";
/** A tensor that lives to the end of the run. */
const END = "end";

// ---- writing -----------------------------------------------------------------------------------------------------

/** One line for each step, so that a plan can be read and compared. */
export function writePlan({ part, inputs, outputs, tensors, steps }: StoredPlan): string {
  const lines = (items: unknown[]) => `[\n${items.map((item) => JSON.stringify(item)).join(",\n")}\n]`;
  const head = JSON.stringify({ plan: PLAN_FORMAT, part, inputs, outputs }).slice(0, -1);
  return `${head},"tensors":${lines(tensors.map(writeTensor))},"steps":${lines(steps.map(writeStep))}}\n`;
}

function writeTensor({ dies, data, ...tensor }: StoredTensor) {
  return { ...tensor, dies: Number.isFinite(dies) ? dies : END, ...(data && { data: toBase64(data) }) };
}

function writeStep(step: StoredStep): unknown[] {
  switch (step.kind) {
    case "call":
      return ["call", step.name, ...step.args.map(writeArg)];
    case "copy":
      return ["copy", step.from, step.to, ...step.blocks.map((block) => BLOCK.map((key) => block[key]))];
    case "cast":
      return ["cast", step.from, step.to];
    case "fill":
      return ["fill", step.to, writeNumber(step.value)];
    case "bounds":
      return ["bounds", step.of, ...step.limits];
    case "numbers":
      return ["numbers", step.of];
    case "renew":
      return ["renew", step.of];
    default:
      return step satisfies never;
  }
}

const BLOCK = ["from", "to", "length", "count", "fromStride", "toStride"] as const satisfies (keyof CopyBlock)[];

/** A tensor is its position in brackets, a table the text of its bytes, a list of tensors their positions. */
function writeArg(arg: Arg): unknown {
  if (typeof arg === "number") return writeNumber(arg);
  if (arg instanceof Uint8Array) return { table: toBase64(arg) };
  return Array.isArray(arg) ? { tensors: arg.map(({ tensor }) => tensor) } : [arg.tensor];
}

/** JSON has no infinite numbers, no NaN, and no -0. */
const writeNumber = (value: number): unknown =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : { number: Object.is(value, -0) ? "-0" : String(value) };

const toBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

// ---- reading -----------------------------------------------------------------------------------------------------

/** `where` is the text's address, for messages. Throws `model_format` for what no version of this library writes. */
export function readPlan(source: string, where: string): StoredPlan {
  const root: At = { url: where, field: "" };
  if (source.length > MAX_PLAN_TEXT) refuse(root, `has ${source.length} characters, ${MAX_PLAN_TEXT} is the maximum`);
  const given = object(parseJson(source, where, ADVICE, "plan"), root);
  const at = (key: string) => under(root, key);
  if (own(given, "plan") !== PLAN_FORMAT)
    refuse(at("plan"), `is ${show(own(given, "plan"))}, ${PLAN_FORMAT} can be read`);
  const items = filled(own(given, "tensors"), at("tensors"));
  if (items.length > MAX_TENSORS) refuse(at("tensors"), `has ${items.length} items, ${MAX_TENSORS} is the maximum`);
  const steps = list(own(given, "steps"), at("steps"));
  const tensors = items.map((item, index) => readTensor(item, steps.length, under(at("tensors"), index)));
  const reader = new StepReader(tensors);
  const slots = (key: "inputs" | "outputs") =>
    filled(own(given, key), at(key)).map((item, index) => readSlot(item, reader, under(at(key), index)));
  const inputs = slots("inputs").map(({ item, at: here, ...slot }) => ({ ...slot, name: keyName(own(item, "name"), under(here, "name")) })); // biome-ignore format: one line
  return {
    part: oneOf(own(given, "part"), PARTS, at("part")),
    inputs,
    outputs: slots("outputs").map(({ tensor, shape: dims }) => ({ tensor, shape: dims })),
    tensors,
    steps: steps.map((step, index) => reader.step(step, under(at("steps"), index))),
  };
}

function readTensor(item: unknown, steps: number, at: At): StoredTensor {
  const given = object(item, at);
  const get = (key: string) => own(given, key);
  const dtype = oneOf(get("dtype"), DTYPES, under(at, "dtype"));
  const size = integer(get("size"), under(at, "size"), 0);
  const born = integer(get("born"), under(at, "born"), 0);
  const dies = get("dies") === END ? Number.POSITIVE_INFINITY : integer(get("dies"), under(at, "dies"), born + 1);
  if (born > steps) refuse(under(at, "born"), `is after the last step`);
  const weight = get("weight") === undefined ? undefined : keyName(get("weight"), under(at, "weight"));
  const encoded = get("data");
  if (encoded !== undefined && weight !== undefined) refuse(at, "is a weight and a constant");
  const data = encoded === undefined ? undefined : fromBase64(encoded, under(at, "data"));
  if (data && data.length !== size * bytesPerElement(dtype))
    refuse(under(at, "data"), `has ${data.length} bytes, ${size * bytesPerElement(dtype)} are right`);
  return { size, dtype, born, dies, ...(weight !== undefined && { weight }), ...(data && { data }) };
}

function readSlot(item: unknown, reader: StepReader, at: At) {
  const given = object(item, at);
  const tensor = reader.tensor(own(given, "tensor"), under(at, "tensor"));
  const dims = shape(own(given, "shape"), under(at, "shape"), 0);
  if (sizeOf(dims) !== reader.tensors[tensor]?.size) refuse(under(at, "shape"), "is not of its tensor's size");
  return { item: given, at, tensor, shape: dims };
}

class StepReader {
  constructor(readonly tensors: StoredTensor[]) {}

  /** A position in `tensors`. */
  tensor(value: unknown, at: At): number {
    const position = integer(value, at, 0);
    return position < this.tensors.length
      ? position
      : refuse(at, `is ${position}, there are ${this.tensors.length} tensors`);
  }

  step(item: unknown, at: At): StoredStep {
    const [kind, ...given] = list(item, at);
    const one = (index: number) => this.tensor(given[index], under(at, index + 1));
    const count = (wanted: number) => {
      if (given.length !== wanted) refuse(at, `has ${given.length} values, ${wanted} are right`);
    };
    switch (kind) {
      case "call":
        return { kind, name: text(given[0], under(at, 1)), args: given.slice(1).map((arg, index) => this.#arg(arg, under(at, index + 2))) }; // biome-ignore format: one line
      case "copy":
        return { kind, from: one(0), to: one(1), blocks: given.slice(2).map((block, index) => this.#block(block, under(at, index + 3))) }; // biome-ignore format: one line
      case "cast":
        count(2);
        return { kind, from: one(0), to: one(1) };
      case "fill":
        count(2);
        return { kind, to: one(0), value: readNumber(given[1], under(at, 2)) };
      case "bounds":
        return { kind, of: one(0), limits: filled(given.slice(1), at).map((limit, index) => integer(limit, under(at, index + 2), 0)) }; // biome-ignore format: one line
      case "numbers":
      case "renew":
        count(1);
        return { kind, of: one(0) };
      default:
        return refuse(under(at, 0), `is ${show(kind)}, no kind of step`);
    }
  }

  #arg(value: unknown, at: At): Arg {
    if (Array.isArray(value)) return { tensor: this.tensor(value[0], at) };
    if (!isObject(value)) return readNumber(value, at);
    const [table, tensors] = [own(value, "table"), own(value, "tensors")];
    if (table !== undefined) return fromBase64(table, at);
    if (tensors === undefined) return readNumber(value, at);
    return list(tensors, at).map((tensor) => ({ tensor: this.tensor(tensor, at) }));
  }

  #block(value: unknown, at: At): CopyBlock {
    const items = list(value, at);
    if (items.length !== BLOCK.length) refuse(at, `has ${items.length} values, ${BLOCK.length} are right`);
    const entries = BLOCK.map((key, index) => [key, integer(items[index], under(at, index), 0)]);
    return Object.fromEntries(entries) as unknown as CopyBlock;
  }
}

const ODD_NUMBERS: Record<string, number> = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, "-Infinity": Number.NEGATIVE_INFINITY, "-0": -0 }; // biome-ignore format: one line

function readNumber(value: unknown, at: At): number {
  if (typeof value === "number") return value;
  const name = own(object(value, at), "number");
  const number = typeof name === "string" ? own(ODD_NUMBERS, name) : undefined;
  return number === undefined ? refuse(at, `must be a number, it is ${show(name)}`) : (number as number);
}

function fromBase64(value: unknown, at: At): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text(value, at)), (character) => character.charCodeAt(0));
  } catch {
    return refuse(at, "is not base64");
  }
}
