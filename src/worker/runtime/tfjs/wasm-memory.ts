// Notices when tfjs's wasm module runs out of memory: tfjs itself goes on, with outputs that were never computed.

/** The parts of tfjs's wasm backend that are guarded. */
interface WasmBackend {
  wasm: { _malloc(bytes: number): number; _free(address: number): void };
  dispose(): void;
}

// XNNPACK's kernels report every failure in this way, and tfjs returns the output all the same.
const FAILED_KERNEL = /^XNN status/;
let failure: string | undefined;
let isListening = false;

/** The first failure since the last call. One kernel runs at a time, so it belongs to what ran since. */
export function takeWasmFailure(): string | undefined {
  const taken = failure;
  failure = undefined;
  return taken;
}

/** To be called before a module starts: it keeps the `console.warn` that it finds then. */
export function listenToWarnings(): void {
  if (isListening) return;
  isListening = true;
  const warn = console.warn.bind(console);
  console.warn = (...message: unknown[]) => {
    const text = String(message[0]);
    if (FAILED_KERNEL.test(text)) failure ??= text;
    else warn(...message);
  };
}

/** Makes failed allocations throw, and closing safe. */
export function guardMemory(backend: unknown): void {
  const guarded = backend as WasmBackend;
  const { wasm } = guarded;
  // Emscripten's own `_malloc` replaces itself by the module's at its first call.
  wasm._free(wasm._malloc(1));
  const malloc = wasm._malloc;
  wasm._malloc = (bytes) => {
    const address = malloc(bytes);
    // At address 0 tfjs would write over what the module needs itself.
    if (address === 0 && bytes > 0) throw new RangeError(`out of memory: ${bytes} bytes could not be allocated`);
    return address;
  };
  const dispose = guarded.dispose.bind(guarded);
  guarded.dispose = () => {
    try {
      dispose();
    } catch {
      // A module whose memory is broken traps here. It is dropped with its memory all the same.
    }
  };
}
