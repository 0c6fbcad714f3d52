// One step of a plan that a kernel of the library's own can compute.
import type { Plan } from "../plan.js";
import type { Binary } from "../start-binary.js";
import type { Step } from "../steps.js";
import { bytesPerElement, exportOf, type Native } from "../wasm-module.js";
import { type OwnCall, ownCall, type TensorOf } from "./convert.js";
import type { KernelExports } from "./kernel-module.js";

type CallStep = Extract<Step, { kind: "call" }>;

/** As layout.ts aligns tensors. */
const ALIGNMENT = 64;
const FIELDS = 21;

export interface OwnStep {
  /** Of the plan's steps. */
  index: number;
  call: OwnCall;
  /** What tfjs's binary does at this step. */
  before: () => void;
  run: () => void;
  /** Frees its memory. It must not run any more. */
  dispose(): void;
}

/** Memory that the steps of one model need while they run. */
export class Scratch {
  readonly #binary: Binary;
  #address = 0;
  #bytes = 0;
  readonly #users: ((address: number) => void)[] = [];

  constructor(binary: Binary) {
    this.#binary = binary;
  }

  /** `tell` is called with its address, now and when it moves. */
  use(bytes: number, tell: (address: number) => void): void {
    this.#users.push(tell);
    if (bytes > this.#bytes) this.#grow(bytes);
    else tell(this.#address);
  }

  #grow(bytes: number): void {
    const grown = this.#binary._malloc(bytes);
    if (this.#address !== 0) this.#binary._free(this.#address);
    [this.#address, this.#bytes] = [grown, bytes];
    for (const user of this.#users) user(grown);
  }
}

/** The calls of the plan that own kernels can compute, by the step. */
export function ownCalls({ recording }: Plan): Map<number, OwnCall> {
  const floats = recording.tensors.filter(({ dtype }) => dtype === "float32");
  const tensors = new Map(
    floats.map(({ id, size, address, data }) => [id, { size, isFixed: address !== undefined || data !== undefined }]),
  );
  const tensorOf: TensorOf = (id) => tensors.get(id);
  const calls = new Map<number, OwnCall>();
  for (const [index, step] of recording.steps.entries()) {
    const call = step.kind === "call" && ownCall(step as CallStep, tensorOf);
    if (call) calls.set(index, call);
  }
  return calls;
}

/** Packs the weights of a call. Throws a `RangeError` where there is no memory. */
export function makeOwnStep(
  binary: Binary,
  kernels: KernelExports,
  scratch: Scratch,
  plan: Plan,
  index: number,
  call: OwnCall,
): OwnStep {
  // biome-ignore format: one line
  const { kernel, inner, columns, panel, items } = call;
  const packed = Math.ceil(columns / panel) * panel * (inner + 1) * bytesPerElement("float32");
  const place = binary._malloc(packed + FIELDS * 4 + 2 * ALIGNMENT);
  const weights = Math.ceil(place / ALIGNMENT) * ALIGNMENT;
  const fields = weights + packed;
  const at = (id: number) => (id === 0 ? 0 : plan.tensor(id).address);
  kernels.pack(at(call.weights), at(call.biases), weights, inner, columns, panel);
  binary.HEAP32.set([at(call.x), weights, at(call.out), 0, ...call.sides], fields / 4);
  new Float32Array(binary.HEAP32.buffer, fields + 19 * 4, 2).set([call.low, call.high]);
  let isGone = false;
  scratch.use(call.scratch, (address) => {
    if (!isGone) binary.HEAP32[fields / 4 + 3] = address;
  });
  const compute = kernels[kernel];
  const activate = call.after && (exportOf(binary, call.after) as Native);
  return {
    index,
    call,
    before: plan.steps[index] as () => void,
    run: activate
      ? () => {
          compute(fields, 0, items);
          // As tfjs does, in place.
          activate(call.out, call.out);
        }
      : () => compute(fields, 0, items),
    dispose() {
      isGone = true;
      binary._free(place);
    },
  };
}
