// Checks what a caller passed against the manifest's inputs and makes the tensors that a session is fed.
import { InsituError } from "../../shared/errors.js";
import type { Letterbox } from "../../shared/letterbox.js";
import type { WireInput } from "../../shared/protocol.js";
import type { InputSpec } from "../../shared/types/manifest.js";
import type { TensorData, TypedArray } from "../../shared/types/tensor.js";
import { toFeed } from "./image.js";

export interface Feeds {
  feeds: Record<string, TensorData>;
  /** Set when the input was a picture. */
  placement?: Letterbox;
  /** Keeps the feeds' memory for later pictures; call it once nothing reads them any more, or never. */
  recycle?: () => void;
  /** Closes the picture where it is open still; call it always. */
  close?: () => void;
}

/**
 * `stays` leaves a picture open until `close`, for a session that can use it itself. `many` takes the items of one call from the length of
 * its numbers. Throws `input_invalid` with the name, shape and dtype that were expected.
 */
export async function toFeeds(input: WireInput, specs: InputSpec[], stays = false, many = false): Promise<Feeds> {
  const [first] = specs;
  switch (input.kind) {
    case "image": {
      const pictured = specs.find((spec) => spec.image) ?? first;
      if (!pictured || specs.length > 1) throw wrongInputs(["a picture"], specs);
      const { feed, ...rest } = await toFeed(input, pictured, stays);
      return { feeds: { [pictured.name]: feed }, ...rest };
    }
    case "tensor":
      if (!first || specs.length > 1) throw wrongInputs([input.data.constructor.name], specs);
      return { feeds: { [first.name]: numbers(input.data, first, many) } };
    case "tensors": {
      const names = Object.keys(input.data);
      if (names.length !== specs.length || specs.some((spec) => !Object.hasOwn(input.data, spec.name))) {
        throw wrongInputs(names, specs);
      }
      const feeds = Object.fromEntries(
        specs.map((spec) => [spec.name, numbers(input.data[spec.name] as TypedArray, spec, many)]),
      );
      if (many) assertEqualCounts(feeds, specs);
      return { feeds };
    }
    default:
      return input satisfies never;
  }
}

function wrongInputs(given: string[], specs: InputSpec[]): InsituError {
  const expected = specs.map((spec) => `${spec.name}: ${spec.dtype} [${spec.shape}]`).join(", ");
  return new InsituError(
    "input_invalid",
    `The inputs do not fit: got ${given.join(", ") || "nothing"}; the model takes ${expected}. Pass one typed array an input, by name.`,
    { expected: specs.map((spec) => spec.name), given },
  );
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

function numbers(data: TypedArray, spec: InputSpec, many: boolean): TensorData {
  const wanted = ARRAYS[spec.dtype];
  // One item a call: a size that the caller chooses is 1. Of a ranking, one call is a list of candidates.
  const item = spec.shape.map((size) => (size === -1 ? 1 : size));
  const length = item.reduce((product, size) => product * size, 1);
  const listed = many && spec.shape[0] === -1;
  const fits = listed ? data.length > 0 && data.length % length === 0 : data.length === length;
  if (!(data instanceof wanted) || !fits) {
    const got = ArrayBuffer.isView(data) ? `${data.constructor.name} of length ${data.length}` : typeof data;
    const shape = listed ? [-1, ...item.slice(1)] : item;
    throw new InsituError(
      "input_invalid",
      `The input ${spec.name} takes a ${wanted.name} of length ${listed ? "n times " : ""}${length} (shape [${shape}], ${spec.dtype}), got ${got}.`,
      { input: spec.name, shape, dtype: spec.dtype, length, given: got },
    );
  }
  return { data, shape: listed ? [data.length / length, ...item.slice(1)] : item, dtype: spec.dtype };
}

/** Candidates that one input has and another has not cannot be ranked. */
function assertEqualCounts(feeds: Record<string, TensorData>, specs: InputSpec[]): void {
  const counts = specs.filter(({ shape }) => shape[0] === -1).map(({ name }) => [name, feeds[name]?.shape[0]] as const);
  if (new Set(counts.map(([, count]) => count)).size <= 1) return;
  const given = counts.map(([name, count]) => `${name}: ${count}`).join(", ");
  throw new InsituError("input_invalid", `The inputs hold different numbers of candidates: ${given}.`, {
    counts: Object.fromEntries(counts),
  });
}

/** Zeros for every input: what a warm-up runs on. */
export function zeros(specs: InputSpec[]): Record<string, TensorData> {
  return Object.fromEntries(
    specs.map((spec) => {
      const shape = spec.shape.map((size) => (size === -1 ? 1 : size));
      const length = shape.reduce((product, size) => product * size, 1);
      return [spec.name, { data: new ARRAYS[spec.dtype](length), shape, dtype: spec.dtype }];
    }),
  );
}
