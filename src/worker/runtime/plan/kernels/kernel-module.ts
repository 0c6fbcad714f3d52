// The library's own kernels: a module of WebAssembly that works on the memory of tfjs's binary.
import { KERNELS } from "./kernels-binary.js";

type Native = (...args: number[]) => void;

/** The functions of convolve.c, depthwise.c and pack.c. */
export interface KernelExports {
  /** Items from one to before another are computed; `call` is the address of a `Convolution`. */
  multiply(call: number, begin: number, end: number): void;
  convolve(call: number, begin: number, end: number): void;
  depthwise(call: number, begin: number, end: number): void;
  pack(weights: number, biases: number, to: number, inner: number, columns: number, panel: number): void;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** Rejects where the browser has no relaxed SIMD. */
export async function startKernels(memory: WebAssembly.Memory): Promise<KernelExports> {
  compiled ??= WebAssembly.compile(Uint8Array.from(atob(KERNELS), (character) => character.charCodeAt(0)));
  const { exports } = await WebAssembly.instantiate(await compiled, { env: { memory } });
  return exports as Record<keyof KernelExports, Native>;
}
