// Starts tfjs's wasm backend in Node, which is 20 times faster than the JavaScript backend and needs no native download.
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { ready, setBackend } from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";

export async function useWasm(): Promise<void> {
  const main = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(dirname(main) + sep);
  if (!(await setBackend("wasm"))) throw new Error("tfjs could not start its wasm backend in Node.");
  await ready();
}
