// The row that holds a model's plans on WebGPU between visits, and what of it is refused.
import type { DType } from "../../../../shared/types/tensor.js";
import { VERSION } from "../../../lib/version.js";
import type { NoteCell } from "../../session/engine.js";
import type { StoredGpuOutput, StoredGpuPlan, StoredGpuStep, StoredGpuTensor } from "./stored-plan.js";

/** Raised whenever the form or the meaning of a row changes: what was stored before is made again. */
const FORMAT = 1;
const DTYPES: readonly unknown[] = ["float32", "int32", "bool"] satisfies DType[];

/** A shader is in the row once, and steps name it by its position; so do the plans of all batch sizes. */
interface Row {
  format: number;
  /** The shaders are those of one version of tfjs's kernels, which the library's stands for. */
  library: string;
  /** See `Gpu.identity`: a plan that was made on another adapter may be wrong on this one. */
  gpu: string;
  shaders: string[];
  plans: RowPlan[];
}

type RowStep = Omit<StoredGpuStep, "shader" | "uniforms"> & { shader: number; uniforms: number };
/** The uniforms of all steps in one array: hundreds of short ones would be most of the row. */
type RowPlan = Omit<StoredGpuPlan, "steps"> & { steps: RowStep[]; uniforms: Uint8Array<ArrayBuffer> };

export function writePlans(cell: NoteCell, gpu: string, plans: StoredGpuPlan[]): Promise<void> {
  if (plans.length === 0) return cell.write(undefined);
  const shaders = [...new Set(plans.flatMap(({ steps }) => steps.map(({ shader }) => shader)))];
  const places = new Map(shaders.map((text, place) => [text, place]));
  const packed = plans.map(({ steps, ...plan }): RowPlan => {
    const uniforms = new Uint8Array(steps.reduce((sum, step) => sum + step.uniforms.length, 0));
    let end = 0;
    const named = steps.map(({ shader, uniforms: own, ...step }) => {
      uniforms.set(own, end);
      end += own.length;
      return { ...step, shader: places.get(shader) as number, uniforms: own.length };
    });
    return { ...plan, steps: named, uniforms };
  });
  return cell.write({ format: FORMAT, library: VERSION, gpu, shaders, plans: packed } satisfies Row);
}

/** Empty where the value is no row, is of another version or of another adapter, or holds what no version writes. */
export function plansOf(value: unknown, gpu: string): StoredGpuPlan[] {
  const row = value as Partial<Row> | undefined;
  if (row?.format !== FORMAT || row.library !== VERSION || row.gpu !== gpu) return [];
  const { shaders, plans } = row;
  if (!Array.isArray(shaders) || !Array.isArray(plans) || !shaders.every((text) => typeof text === "string")) return [];
  try {
    const unpacked = plans.map((plan) => unpack(plan, shaders));
    for (const plan of unpacked) check(plan);
    return unpacked;
  } catch {
    // A field is missing, or has another type.
    return [];
  }
}

function unpack({ steps, uniforms, ...plan }: RowPlan, shaders: string[]): StoredGpuPlan {
  let end = 0;
  return {
    ...plan,
    steps: steps.map(({ shader, uniforms: length, ...step }) => {
      assert(isCount(length) && end + length <= uniforms.length);
      end += length;
      const text = shaders[shader];
      assert(text !== undefined);
      return { ...step, shader: text, uniforms: uniforms.slice(end - length, end) };
    }),
  };
}

/** What WebGPU itself refuses, such as a binding that is too small, is not checked here. */
function check({ part, key, inputs, outputs, tensors, steps }: StoredGpuPlan): void {
  assert(part === "run" || part === "embed");
  assert(typeof key === "string");
  const isTensor = (position: number) => isCount(position) && position < tensors.length;
  for (const tensor of tensors) assert(isTensorRow(tensor));
  for (const { name, tensor } of inputs) assert(typeof name === "string" && isTensor(tensor));
  for (const output of outputs) assert(isOutput(output) && (output.data !== undefined || isTensor(output.tensor)));
  for (const { workgroups, tensors: used } of steps) {
    assert(workgroups.length === 3 && workgroups.every(isCount));
    assert(used.length > 0 && used.every(isTensor));
  }
}

const isTensorRow = ({ bytes, born, dies, weight, data }: StoredGpuTensor): boolean =>
  isCount(bytes) &&
  isCount(born) &&
  (isCount(dies) || dies === Number.POSITIVE_INFINITY) &&
  (weight === undefined || typeof weight === "string") &&
  (data === undefined || (data instanceof Uint8Array && data.length === bytes));

const isOutput = (output: StoredGpuOutput): boolean =>
  output.shape.every(isCount) &&
  DTYPES.includes(output.dtype) &&
  (output.data ? ArrayBuffer.isView(output.data) : DTYPES.includes(output.stored));

const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;

function assert(isRight: boolean): asserts isRight {
  if (!isRight) throw new TypeError("not a row of plans");
}
