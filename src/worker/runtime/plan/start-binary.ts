// Starts tfjs's wasm binary on one thread, without tfjs and without emscripten's script: each start has a memory of its own.
import type { Native, WasmModule } from "./wasm-module.js";

/** The binary, running. */
export interface Binary extends WasmModule {
  /** Bytes of its memory, which never shrinks. */
  readonly heldBytes: number;
  readonly memory: WebAssembly.Memory;
  /** What kernels reported as failed since the last call: their outputs were never computed. */
  takeFailure(): string | undefined;
  /** Ends its threads. It cannot be used any more. */
  end(): void;
}

export const PAGE = 65_536;
/** As emscripten 3.1 sets it: the largest memory, one page less than 4 GiB. */
export const MAX_BYTES = 2 ** 32 - PAGE;
/** Memory grows by a fifth at least, and by no more than this beyond what is needed, so that it is copied seldom. */
const GROWTH = 1.2;
const MAX_AHEAD = 96 * 2 ** 20;
/** WASI's numbers of the errors that its file functions give: not supported, and no seeking. */
const NOT_SUPPORTED = 52;
const NO_SEEK = 70;
// XNNPACK's kernels report every failure in this way, and go on.
const FAILED_KERNEL = /^XNN status/;

export async function startBinary(compiled: WebAssembly.Module): Promise<Binary> {
  let memory: WebAssembly.Memory | undefined;
  const failures = createFailures();
  const bytes = () => new Uint8Array((memory as WebAssembly.Memory).buffer);
  const lines = createLines(failures.onLine);
  const imports = {
    env: {
      abort() {
        throw new WebAssembly.RuntimeError("the binary ended itself");
      },
      emscripten_memcpy_big: (to: number, from: number, count: number) =>
        bytes().copyWithin(to >>> 0, from >>> 0, (from >>> 0) + (count >>> 0)),
      emscripten_get_heap_max: () => MAX_BYTES,
      emscripten_resize_heap: (wanted: number) => Number(grow(memory as WebAssembly.Memory, wanted >>> 0)),
    },
    wasi_snapshot_preview1: {
      fd_close: () => NOT_SUPPORTED,
      fd_seek: () => NO_SEEK,
      /** `parts` are pairs of address and length. */
      fd_write(file: number, parts: number, count: number, written: number) {
        const words = new Uint32Array((memory as WebAssembly.Memory).buffer);
        const start = parts >>> 2;
        let sum = 0;
        for (let index = start; index < start + 2 * count; index += 2) {
          const [address = 0, length = 0] = words.subarray(index, index + 2);
          lines(file, bytes().subarray(address, address + length));
          sum += length;
        }
        words[written >>> 2] = sum;
        return 0;
      },
    },
  };
  const { exports } = await WebAssembly.instantiate(compiled, imports);
  memory = exports.memory as WebAssembly.Memory;
  (exports.__wasm_call_ctors as Native)();
  (exports.init as Native)();
  return toBinary(exports, memory, failures.take, () => undefined);
}

/** Finds the failures of kernels in what the binary prints. */
export function createFailures(): { onLine(line: string): void; take(): string | undefined } {
  let failure: string | undefined;
  return {
    onLine(line) {
      if (FAILED_KERNEL.test(line)) failure ??= line;
      else console.warn(line);
    },
    take() {
      const taken = failure;
      failure = undefined;
      return taken;
    },
  };
}

/** The running binary, whose exports and memory these are. */
export function toBinary(
  exports: WebAssembly.Exports,
  memory: WebAssembly.Memory,
  takeFailure: Binary["takeFailure"],
  end: () => void,
): Binary {
  const { malloc, free, register_tensor, dispose_data } = exports as Record<string, Native>;
  const functions = Object.entries(exports).filter(([, value]) => typeof value === "function");
  // The names that emscripten gives them.
  const named = Object.fromEntries(functions.map(([name, value]) => [`_${name}`, value]));
  let heap = new Uint8Array(memory.buffer);
  let words = new Int32Array(memory.buffer);
  /** A memory that has grown has another buffer. */
  const renew = () => {
    if (heap.buffer === memory.buffer) return;
    heap = new Uint8Array(memory.buffer);
    words = new Int32Array(memory.buffer);
  };
  const own = {
    get HEAPU8() {
      renew();
      return heap;
    },
    get HEAP32() {
      renew();
      return words;
    },
    get heldBytes() {
      return memory.buffer.byteLength;
    },
    _malloc(size: number) {
      const address = (malloc as Native)(size) >>> 0;
      if (address === 0 && size > 0) throw new RangeError(`out of memory: ${size} bytes could not be allocated`);
      return address;
    },
    _free: free as Native,
    tfjs: { registerTensor: register_tensor as Native, disposeData: dispose_data as Native },
    memory,
    takeFailure,
    end,
  };
  return Object.defineProperties(named, Object.getOwnPropertyDescriptors(own)) as unknown as Binary;
}

function grow(memory: WebAssembly.Memory, wanted: number): boolean {
  if (wanted > MAX_BYTES) return false;
  const now = memory.buffer.byteLength;
  const ahead = Math.min(MAX_BYTES, wanted + MAX_AHEAD, Math.max(wanted, now * GROWTH));
  return [ahead, wanted].some((size) => {
    try {
      memory.grow(Math.ceil((size - now) / PAGE));
      return true;
    } catch {
      return false;
    }
  });
}

/** Puts together what is written to each file in parts, and passes on whole lines. */
function createLines(onLine: (line: string) => void): (file: number, part: Uint8Array) => void {
  const open: Record<number, string> = {};
  return (file, part) => {
    // A decoder takes no shared memory; what the binary writes is ASCII.
    const lines = `${open[file] ?? ""}${String.fromCharCode(...part)}`.split("\n");
    open[file] = lines.pop() as string;
    for (const line of lines) onLine(line);
  };
}
