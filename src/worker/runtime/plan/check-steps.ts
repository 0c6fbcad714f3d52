// Checks the steps of a stored plan before any of them runs: each uses tensors that are there at that step, within their sizes.
import type { DType } from "../../../shared/types/tensor.js";
import { type Call, MAX_RANK } from "./kernel-rules.js";
import { SIGNATURES } from "./kernel-signatures.js";
import type { Arg, StoredPlan, StoredStep, StoredTensor } from "./stored-plan.js";
import { bytesPerElement, FIRST_ID } from "./wasm-module.js";

/** By weight, or by tensor of one plan: the sides of the matrix that it is used as. */
export type Matrices = Map<unknown, string>;

/** tfjs's codes. */
const CODES: Record<DType, number> = { float32: 0, int32: 1, bool: 2 };
/** Each tensor is below 1 GiB, so that no product in a kernel reaches 32 bits. */
const MAX_SIZE = 2 ** 28;
const MAX_STEPS = 16_384;
/** The time that their places take grows with the square. */
const MAX_TENSORS = 8_192;
/** Of the tensors that live at one step: as much as a page can hope to get. */
const MAX_BYTES = 2 ** 30;
/** Operations of a run: seconds where kernels are fast, a minute where they are slow. VGG-19 has a quarter of it. */
const MAX_WORK = 2 ** 36;

/** The message says what is wrong. */
export class UnfitStep extends Error {}

function need(fits: boolean, what: string): asserts fits {
  if (!fits) throw new UnfitStep(what);
}

export class StepChecker {
  /** The step that is being checked. */
  step = 0;
  #work = 0;
  readonly #tensors: StoredTensor[];
  readonly #written: boolean[];
  readonly #matrices: Matrices;
  #before: StoredStep | undefined;

  constructor({ tensors, inputs }: StoredPlan, matrices: Matrices) {
    this.#tensors = tensors;
    this.#matrices = matrices;
    this.#written = tensors.map(({ weight, data }) => weight !== undefined || data !== undefined);
    for (const { tensor } of inputs) this.#written[tensor] = true;
  }

  /** Throws `UnfitStep`. */
  check({ steps, inputs, outputs }: StoredPlan): void {
    need(steps.length <= MAX_STEPS, `there are more than ${MAX_STEPS} steps`);
    this.#checkMemory(steps.length);
    for (const { tensor } of inputs) this.#read(tensor);
    for (this.step = 0; this.step < steps.length; this.step += 1) {
      const step = steps[this.step] as StoredStep;
      this.#spend(this.#cost(step));
      this.#before = step;
    }
    // What lives to the end, or is not in the arena, is still there.
    for (const { tensor } of outputs) this.#read(tensor);
  }

  #checkMemory(steps: number): void {
    need(this.#tensors.length <= MAX_TENSORS, `there are more than ${MAX_TENSORS} tensors`);
    const change = new Float64Array(steps + 2);
    for (const { size, dtype, born, dies, weight } of this.#tensors) {
      need(size < MAX_SIZE, `a tensor has ${size} elements`);
      if (weight !== undefined) continue;
      const bytes = size * bytesPerElement(dtype);
      change[born] = (change[born] as number) + bytes;
      const end = Math.min(dies, steps + 1);
      change[end] = (change[end] as number) - bytes;
    }
    let live = 0;
    for (const bytes of change) {
      live += bytes;
      need(live <= MAX_BYTES, `its tensors need more than ${MAX_BYTES} bytes`);
    }
  }

  #spend(work: number): void {
    this.#work += work;
    need(this.#work <= MAX_WORK, "a run takes too long");
  }

  // ---- tensors -----------------------------------------------------------------------------------------------------

  #read(position: number): StoredTensor {
    const tensor = this.#tensors[position] as StoredTensor;
    if (!(tensor.born <= this.step && this.step < tensor.dies)) throw new UnfitStep(`tensor ${position} is not there`);
    if (!this.#written[position]) throw new UnfitStep(`tensor ${position} is read before it is written`);
    return tensor;
  }

  #write(position: number): StoredTensor {
    const tensor = this.#tensors[position] as StoredTensor;
    if (tensor.weight !== undefined || tensor.data) throw new UnfitStep(`tensor ${position} is a weight or a constant`);
    this.#written[position] = true;
    return this.#read(position);
  }

  // ---- steps -------------------------------------------------------------------------------------------------------

  /** In operations. */
  #cost(step: StoredStep): number {
    switch (step.kind) {
      case "call":
        return this.#call(step.name, step.args);
      case "copy": {
        const [from, to] = [this.#read(step.from), this.#write(step.to)];
        need(from.dtype === to.dtype, "it copies between two dtypes");
        for (const { from: start, to: target, length, count, fromStride, toStride } of step.blocks) {
          const isInside = (at: number, stride: number, size: number) => at + (count - 1) * stride + length <= size;
          need(
            count > 0 && isInside(start, fromStride, from.size) && isInside(target, toStride, to.size),
            "it copies what is not in its tensors",
          );
          // Each element is written once: so a block takes no longer than its tensor is large.
          need(length > 0 && (count === 1 || toStride >= length), "its ranges overlap");
          this.#spend(length * count);
        }
        return 0;
      }
      case "cast":
        need(this.#read(step.from).size === this.#write(step.to).size, "it casts to another size");
        return (this.#tensors[step.to] as StoredTensor).size;
      case "fill":
        return this.#write(step.to).size;
      case "bounds":
      case "numbers":
        return this.#read(step.of).size;
      case "renew":
        // A weight belongs to the model.
        return this.#write(step.of).size;
      default:
        return step satisfies never;
    }
  }

  #call(name: string, args: Arg[]): number {
    const signature = SIGNATURES.get(name);
    need(signature !== undefined, `${name} is no kernel of plans`);
    const { args: letters, rule } = signature;
    need(args.length === letters.length, `${name} has ${args.length} arguments`);
    const places: number[] = [];
    const pin = (place: number, sides: string) => this.#pin(places[place] as number, sides);
    const call: Call = { t: [], n: [], s: [], limits: [], pin };
    for (let index = 0; index < letters.length; index += 1) {
      if (!this.#take(letters[index] as string, args[index] as Arg, call, places))
        throw new UnfitStep(`argument ${index + 1} of ${name} is not what it takes`);
    }
    const work = rule(call);
    need(work !== undefined && work >= 0, `the arguments of ${name} do not fit each other`);
    return work;
  }

  /** False where the argument is not of the kind. */
  #take(letter: string, arg: Arg, call: Call, places: number[]): boolean {
    if (typeof arg === "number") return this.#takeNumber(letter, arg, call, places);
    if (arg instanceof Uint8Array) return letter === "t" && takeTable(arg, call.s);
    if (Array.isArray(arg)) return letter === "l" && arg.length > 0 && arg.every((one) => this.#take("w", one, call, places)); // biome-ignore format: one line
    const { size, dtype } = isWriting(letter) ? this.#write(arg.tensor) : this.#read(arg.tensor);
    call.t.push(size);
    places.push(arg.tensor);
    const before = this.#before;
    switch (size > 0 && letter) {
      case "w":
      case "W":
      case "o":
        return dtype !== "bool";
      case "b":
      case "B":
        return dtype === "bool";
      case "x":
        return dtype === this.#first(places).dtype;
      case "X":
        return bytesPerElement(dtype) === bytesPerElement(this.#first(places).dtype);
      case "i":
        if (before?.kind !== "bounds" || before.of !== arg.tensor) return false;
        call.limits = before.limits;
        return dtype === "int32";
      case "v":
        return dtype === "int32" || (dtype === "float32" && before?.kind === "numbers" && before.of === arg.tensor);
      default:
        return false;
    }
  }

  #first(places: number[]): StoredTensor {
    return this.#tensors[places[0] as number] as StoredTensor;
  }

  #takeNumber(letter: string, value: number, call: Call, places: number[]): boolean {
    switch (letter) {
      case "r":
        return true;
      case "d":
        return value === CODES[this.#first(places).dtype];
      case "o":
        call.t.push(0);
        places.push(-1);
        return value === 0;
      case "f":
        call.n.push(value);
        return value === 0 || value === 1;
      case "n":
        call.n.push(value);
        return Number.isInteger(value) && value >= 0 && value < FIRST_ID;
      default:
        return false;
    }
  }

  #pin(position: number, sides: string): boolean {
    const tensor = this.#tensors[position] as StoredTensor;
    const key = tensor.weight ?? tensor;
    const known = this.#matrices.get(key) ?? sides;
    this.#matrices.set(key, known);
    return known === sides;
  }
}

const isWriting = (letter: string): boolean => letter < "a";

/** Of 32-bit integers, none negative. */
function takeTable(bytes: Uint8Array, tables: number[][]): boolean {
  if (bytes.length % 4 > 0 || bytes.length > 4 * MAX_RANK) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const table: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) table.push(view.getInt32(at, true));
  tables.push(table);
  return table.every((value) => value >= 0 && value < FIRST_ID);
}
