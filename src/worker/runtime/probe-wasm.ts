// Finds out whether WebAssembly can run here, and on how many threads; asks the browser, never tfjs.
import { isIos } from "../../shared/is-ios.js";
import type { BackendReport } from "../../shared/types/model.js";

// The shortest valid module: magic number and version 1.
const EMPTY_MODULE = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
const NO_THREADS = "one thread: the page is not cross-origin isolated (headers COOP and COEP)";
const NO_BLOBS = "one thread: the Content-Security-Policy's worker-src lacks blob:, from which tfjs starts its threads";
// Measured with Firefox 153: the start of eight nested workers blocks the worker forever in half of the tries after another page had some.
const FIREFOX = "one thread: Firefox may never start tfjs's threads";
const NOT_SHARED = "one thread: this browser shares no memory with workers that a worker starts (WebKit)";

/** Reports as threads the number of cores where the page may share memory and start tfjs's threads; else 1. */
export async function probeWasm(): Promise<BackendReport> {
  const backend = "wasm";
  if (typeof WebAssembly === "undefined")
    return { backend, available: false, reason: "the browser has no WebAssembly" };
  try {
    new WebAssembly.Module(EMPTY_MODULE);
  } catch {
    const reason = "the page's Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to script-src";
    return { backend, available: false, reason };
  }
  if (globalThis.crossOriginIsolated !== true) return { backend, available: true, threads: 1, reason: NO_THREADS };
  const cores = usableCores();
  if (cores === 1) return { backend, available: true, threads: 1 };
  const reason = isFirefox() ? FIREFOX : await whyNoThreads();
  return reason ? { backend, available: true, threads: 1, reason } : { backend, available: true, threads: cores };
}

// iOS ends pages that use much memory, and each thread needs some; its browsers also report more cores than a page may use.
const IOS_THREADS = 2;
// tfjs's kernels stop scaling at about 8 threads; each further one is an idle worker.
const MAX_THREADS = 16;
/** As the browser says, before anything changes what it says. */
export const cores = globalThis.navigator?.hardwareConcurrency ?? 1;

function usableCores(): number {
  return Math.max(1, Math.min(cores, isIos() ? IOS_THREADS : MAX_THREADS));
}

const TRIAL_TIMEOUT_MS = 5_000;
let trial: Promise<string | undefined> | undefined;

const isFirefox = () => navigator.userAgent.includes("Firefox/");

/** tfjs would wait forever for threads that cannot start, so one is tried first. Undefined where it started and got shared memory. */
function whyNoThreads(): Promise<string | undefined> {
  trial ??= new Promise((resolve) => {
    const url = URL.createObjectURL(new Blob(["onmessage=()=>postMessage(0)"], { type: "text/javascript" }));
    let worker: Worker | undefined;
    const end = (reason?: string) => {
      clearTimeout(timer);
      worker?.terminate();
      URL.revokeObjectURL(url);
      resolve(reason);
    };
    const timer = setTimeout(end, TRIAL_TIMEOUT_MS, NO_BLOBS);
    try {
      worker = new Worker(url);
      worker.onmessage = () => end();
      worker.onerror = (event) => {
        event.preventDefault();
        end(NO_BLOBS);
      };
    } catch {
      end(NO_BLOBS);
    }
    try {
      worker?.postMessage(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
    } catch {
      end(NOT_SHARED);
    }
  });
  return trial;
}
