// The form in which a plan outlives its recording: tensors and steps name each other by position, weights by their names.
import type { DType, TensorData } from "../../../shared/types/tensor.js";
import type { Part, PlannedTensor, Recording, Step } from "./steps.js";

/** Raised whenever the form, the meaning or the checks of a plan change: what was stored before is made again. */
export const PLAN_FORMAT = 2;

/** An argument of a call that stands for the id of a tensor: its position in `tensors`. */
export interface TensorArg {
  tensor: number;
}

/** A list of tensors is a table of their ids when it is called. */
export type Arg = number | Uint8Array<ArrayBuffer> | TensorArg | TensorArg[];

/** As `Step`, with positions in `tensors` in place of ids. */
export type StoredStep = { kind: "call"; name: string; args: Arg[] } | Exclude<Step, { kind: "call" }>;

export interface StoredTensor {
  size: number;
  dtype: DType;
  born: number;
  dies: number;
  /** Set on a weight: its name in the rewritten graph. */
  weight?: string;
  /** Set on a constant: its content. */
  data?: Uint8Array<ArrayBuffer>;
}

export interface StoredPlan {
  part: Part;
  inputs: { name: string; tensor: number; shape: number[] }[];
  outputs: { tensor: number; shape: number[] }[];
  tensors: StoredTensor[];
  steps: StoredStep[];
}

/** What the inputs of a plan must be; a session keeps its plans by it. `shapes` are in the order of the model's inputs. */
function keyOf(part: Part, inputs: { name: string; dtype: DType; shape: readonly number[] }[]): string {
  return inputs.reduce((key, { name, dtype, shape }) => `${key} ${name}:${dtype}:${shape}`, part as string);
}

export const keyOfFeeds = (part: Part, feeds: Record<string, TensorData>): string =>
  keyOf(
    part,
    Object.entries(feeds).map(([name, { shape, dtype }]) => ({ name, shape, dtype })),
  );

export const keyOfStored = ({ part, inputs, tensors }: StoredPlan): string =>
  keyOf(
    part,
    inputs.map(({ name, tensor, shape }) => ({ name, shape, dtype: (tensors[tensor] as StoredTensor).dtype })),
  );

/** Kernels that take the ids of their inputs as a table. */
const LISTS = ["AddN"];

/** Undefined where the recording needs a tensor of the session that `weights`, names by ids, does not have. */
export function toStored(
  part: Part,
  { inputs, outputs, tensors, steps }: Recording,
  weights: ReadonlyMap<number, string>,
): StoredPlan | undefined {
  const positions = new Map(tensors.map(({ id }, index) => [id, index]));
  const at = (id: number) => positions.get(id) as number;
  if (tensors.some(({ id, address }) => address !== undefined && !weights.has(id))) return undefined;
  return {
    part,
    inputs: inputs.map(({ name, id, shape }) => ({ name, tensor: at(id), shape })),
    outputs: outputs.map(({ id, shape }) => ({ tensor: at(id), shape })),
    tensors: tensors.map(({ id, size, dtype, born, dies, address, data }) => {
      const weight = address === undefined ? undefined : weights.get(id);
      return { size, dtype, born, dies, ...(weight !== undefined && { weight }), ...(data && { data }) };
    }),
    steps: steps.map((step): StoredStep => {
      if (step.kind !== "call") return renamed(step, at);
      const args = step.args.map((arg, index): Arg => {
        if (typeof arg === "number") return positions.has(arg) ? { tensor: at(arg) } : arg;
        const isList = index === 0 && LISTS.includes(step.name);
        return isList ? [...new Int32Array(arg.slice().buffer)].map((id) => ({ tensor: at(id) })) : arg;
      });
      return { ...step, args };
    }),
  };
}

export interface Weight {
  id: number;
  address: number;
}

/** The recording for a module that knows its tensors by other ids. `weight` throws for a name that the model does not have. */
export function fromStored(
  { inputs, outputs, tensors, steps }: StoredPlan,
  nextId: () => number,
  weight: (name: string, tensor: StoredTensor) => Weight,
): Recording {
  const planned = tensors.map((tensor): PlannedTensor => {
    const { weight: name, ...rest } = tensor;
    return name === undefined ? { ...rest, id: nextId() } : { ...rest, ...weight(name, tensor) };
  });
  const one = (position: number) => planned[position] as PlannedTensor;
  const id = (position: number) => one(position).id;
  return {
    tensors: planned,
    inputs: inputs.map(({ name, tensor, shape }) => ({ name, id: id(tensor), shape })),
    outputs: outputs.map(({ tensor, shape }) => ({ id: id(tensor), shape, dtype: one(tensor).dtype })),
    steps: steps.map((step): Step => {
      if (step.kind !== "call") return renamed(step, id);
      const args = step.args.map((arg) => {
        if (typeof arg === "number" || arg instanceof Uint8Array) return arg;
        if (!Array.isArray(arg)) return id(arg.tensor);
        return new Uint8Array(Int32Array.from(arg, ({ tensor }) => id(tensor)).buffer);
      });
      return { ...step, args };
    }),
  };
}

/** The step with other names for its tensors. */
function renamed<S extends Exclude<Step, { kind: "call" }>>(step: S, name: (tensor: number) => number): S {
  const changed: Record<string, unknown> = { ...step };
  for (const key of ["from", "to", "of"]) if (key in step) changed[key] = name(changed[key] as number);
  return changed as S;
}
