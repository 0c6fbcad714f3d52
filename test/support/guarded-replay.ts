// Runs a plan whose tensors lie apart, each between guards, so that a step that writes beyond its tensors is seen.
import { Plan } from "../../src/worker/runtime/plan/plan.js";
import type { Binary } from "../../src/worker/runtime/plan/start-binary.js";
import { fromStored, type StoredPlan } from "../../src/worker/runtime/plan/stored-plan.js";
import { bytesPerElement, FIRST_ID } from "../../src/worker/runtime/plan/wasm-module.js";
import { bitsOf, type Feeds } from "./plans.js";
import { freshBinary, placeWeights, type Weights } from "./stored-plans.js";

const GUARD = 4_096;
/** Floats and integers of these bytes are NaN and -1, or 0.75 and a large number. */
const PATTERNS = [0xff, 0x3f];
const OTHER = 0xa5;

interface Block {
  address: number;
  bytes: Uint8Array;
  what: string;
}

/** An instance of the binary that is used for many plans. */
export class GuardedRoom {
  readonly binary: Binary;
  #nextId = FIRST_ID + 2 ** 24;
  /** The arena of another model. */
  readonly #other: Block;

  private constructor(binary: Binary) {
    this.binary = binary;
    this.#other = this.#keep(binary._malloc(2 ** 18), 2 ** 18, "another model's memory");
    binary.HEAPU8.fill(OTHER, this.#other.address, this.#other.address + 2 ** 18);
    this.#other.bytes.fill(OTHER);
  }

  static async open(): Promise<GuardedRoom> {
    return new GuardedRoom(await freshBinary());
  }

  #keep(address: number, length: number, what: string): Block {
    return { address, bytes: this.binary.HEAPU8.slice(address, address + length), what };
  }

  /**
   * Throws what the plan throws, and an error that begins with "LEFT" where a byte changed that is not in a tensor that a step writes, or where
   * the outputs depend on what lies around the tensors.
   */
  run(stored: StoredPlan, weights: Weights, feeds: Feeds): void {
    const [one, other] = PATTERNS.map((pattern) => this.#run(stored, weights, feeds, pattern));
    if (one !== other) throw new Error("LEFT its tensors: the outputs depend on what is around them");
  }

  /** Returns the outputs' bytes. */
  #run(stored: StoredPlan, weights: Weights, feeds: Feeds, pattern: number): string {
    const { binary } = this;
    const kept: Block[] = [this.#other];
    const taken: number[] = [];
    const firstId = this.#nextId;
    const nextId = () => this.#nextId++;
    const place = (length: number) => {
      const start = binary._malloc(length + 2 * GUARD);
      taken.push(start);
      binary.HEAPU8.fill(pattern, start, start + length + 2 * GUARD);
      binary.HEAPU8.fill(0, start + GUARD, start + GUARD + length);
      return start + GUARD;
    };
    const recording = fromStored(stored, nextId, placeWeights(binary, weights, nextId, place));
    for (const [index, tensor] of recording.tensors.entries()) {
      const length = tensor.size * bytesPerElement(tensor.dtype);
      if (tensor.address !== undefined) {
        kept.push(this.#keep(tensor.address, length, `weight ${index}`));
        continue;
      }
      const address = place(length);
      if (tensor.data) {
        binary.HEAPU8.set(tensor.data, address);
        kept.push(this.#keep(address, length, `constant ${index}`));
      }
      kept.push(this.#keep(address - GUARD, GUARD, `what is before tensor ${index}`));
      kept.push(this.#keep(address + length, GUARD, `what is after tensor ${index}`));
      binary.tfjs.registerTensor(tensor.id, tensor.size, address);
      // As if it were a weight: the plan leaves it where it is.
      Object.assign(tensor, { address, data: undefined });
    }
    const plan = new Plan(binary, recording);
    let outputs = "";
    // Kernels keep what they made at the first run.
    for (let time = 0; time < 2; time += 1) {
      plan.execute(feeds);
      outputs += JSON.stringify(bitsOf(plan.read()));
      this.#compare(kept);
    }
    plan.dispose();
    for (let id = firstId; id < this.#nextId; id += 1) binary.tfjs.disposeData(id);
    for (const start of taken) binary._free(start);
    return outputs;
  }

  #compare(kept: Block[]): void {
    const heap = this.binary.HEAPU8;
    for (const { address, bytes, what } of kept) {
      const now = Buffer.from(heap.buffer, address, bytes.length);
      if (now.equals(bytes)) continue;
      throw new Error(`LEFT its tensors: ${what} changed`);
    }
  }
}
