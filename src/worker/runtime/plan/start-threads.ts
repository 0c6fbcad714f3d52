// Starts tfjs's wasm binary on several threads, by emscripten's own script, which starts the threads as workers.
import threadedFactory from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js";
import { wasmWorkerContents } from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js";
import { type Binary, createFailures, MAX_BYTES, PAGE, toBinary } from "./start-binary.js";
import type { Native } from "./wasm-module.js";

/** What emscripten's script takes and gives (3.1.24). */
interface Settings {
  wasmMemory: WebAssembly.Memory;
  mainScriptUrlOrBlob: Blob;
  locateFile(path: string): string;
  instantiateWasm(
    imports: WebAssembly.Imports,
    receive: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ): object;
  printErr(line: string): void;
  onAbort(reason: unknown): void;
}

interface Threaded {
  asm: WebAssembly.Exports;
  PThread: { terminateAllThreads(): void };
}

const INITIAL_BYTES = 16 * 2 ** 20;
/** Starting eight workers takes 0.1 s here. When one fails, emscripten's promise never settles. */
const START_TIMEOUT_MS = 30_000;
const SCRIPT = { type: "text/javascript" };

/** The page must be cross-origin isolated, and its policy must allow workers from `blob:`. */
export async function startThreads(compiled: WebAssembly.Module, threads: number): Promise<Binary> {
  const memory = new WebAssembly.Memory({
    initial: INITIAL_BYTES / PAGE,
    maximum: (MAX_BYTES + PAGE) / PAGE,
    shared: true,
  });
  const failures = createFailures();
  const urls: string[] = [];
  let late: ReturnType<typeof setTimeout> | undefined;
  const restore = liftThreadCap(threads);
  try {
    const module = await new Promise<Threaded>((resolve, reject) => {
      late = setTimeout(
        reject,
        START_TIMEOUT_MS,
        new Error(`its threads did not start within ${START_TIMEOUT_MS / 1000} s`),
      );
      const settings: Settings = {
        wasmMemory: memory,
        // The threads run the same script.
        mainScriptUrlOrBlob: new Blob([`var WasmBackendModuleThreadedSimd = ${threadedFactory.toString()}`], SCRIPT),
        locateFile() {
          // A line break within its strings would end them.
          const url = URL.createObjectURL(new Blob([wasmWorkerContents.replace(/\n/g, "\\n")], SCRIPT));
          urls.push(url);
          return url;
        },
        instantiateWasm(imports, receive) {
          WebAssembly.instantiate(compiled, imports).then((instance) => receive(instance, compiled), reject);
          return {};
        },
        printErr: failures.onLine,
        onAbort: (reason) => reject(new WebAssembly.RuntimeError(`the binary ended itself: ${reason}`)),
      };
      (threadedFactory as unknown as (settings: Settings) => Promise<Threaded>)(settings).then(resolve, reject);
    });
    (module.asm.init_with_threads_count as Native)(threads);
    return toBinary(module.asm, memory, failures.take, () => module.PThread.terminateAllThreads());
  } finally {
    clearTimeout(late);
    restore();
    for (const url of urls) URL.revokeObjectURL(url);
  }
}

/** The binary uses at most half of `navigator.hardwareConcurrency` as threads, which it reads when it starts. The result undoes it. */
function liftThreadCap(threads: number): () => void {
  const before = Object.getOwnPropertyDescriptor(navigator, "hardwareConcurrency");
  const value = Math.max(navigator.hardwareConcurrency, 2 * threads);
  Object.defineProperty(navigator, "hardwareConcurrency", { value, configurable: true });
  return () => {
    if (before) Object.defineProperty(navigator, "hardwareConcurrency", before);
    // What the class has shows again.
    else delete (navigator as { hardwareConcurrency?: number }).hardwareConcurrency;
  };
}
