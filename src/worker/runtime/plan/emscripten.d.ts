// The two files of tfjs's threaded binary that have no types.
declare module "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js" {
  /** Emscripten's script: starts the binary with the settings given, and resolves to its module. */
  const factory: (settings: object) => Promise<object>;
  export default factory;
}
declare module "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js" {
  /** The script of each thread. */
  export const wasmWorkerContents: string;
}
