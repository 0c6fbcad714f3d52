// The worker's entry: exposes the host at once, then says that it is ready and which protocol it speaks.
import { expose } from "comlink";
import { PROTOCOL, type Ready, registerErrorTransfer } from "./shared/protocol.js";
import { createHost } from "./worker/host.js";
import { browserPlatform } from "./worker/package/platform.js";
import { createFallbackStore } from "./worker/package/store/fallback-store.js";
import { openIndexedDbStore } from "./worker/package/store/indexeddb-store.js";
import { answerPredictions } from "./worker/predict-calls.js";
import { tfjsEngine } from "./worker/runtime/tfjs/engine.js";
import type { WasmBinary } from "./worker/runtime/tfjs/wasm-binary.js";
import { validateHostCalls, validateMessages } from "./worker/validate-request.js";

// Each written out: the consumers' bundlers find a file to ship by such a literal alone, and rewrite it to where it went.
const WASM: Record<WasmBinary, string> = {
  "tfjs-backend-wasm.wasm": new URL("./wasm/tfjs-backend-wasm.wasm", import.meta.url).href,
  "tfjs-backend-wasm-simd.wasm": new URL("./wasm/tfjs-backend-wasm-simd.wasm", import.meta.url).href,
  "tfjs-backend-wasm-threaded-simd.wasm": new URL("./wasm/tfjs-backend-wasm-threaded-simd.wasm", import.meta.url).href,
};

registerErrorTransfer();

const host = createHost({
  ports: browserPlatform,
  openStore({ storage, backends }, emit) {
    // A page that may not start WebAssembly would report a violation of its policy.
    const options = { ...storage, fastChecksum: backends.includes("wasm") };
    return createFallbackStore(openIndexedDbStore(options, emit), emit);
  },
  createEngine: ({ wasmBase }, store) =>
    tfjsEngine({
      url: (name) => (wasmBase === undefined ? WASM[name] : new URL(name, wasmBase).href),
      cache: {
        // A binary that cannot be kept is fetched again next time; the model runs either way.
        get: (binary) => store.readBinary(binary).catch(() => undefined),
        put: (binary, bytes) => store.putBinary(binary, bytes).catch(() => undefined),
      },
    }),
});
const checked = validateHostCalls(host);
expose(checked, validateMessages(self));
answerPredictions(checked, self);

postMessage({ insitu: "ready", protocol: PROTOCOL } satisfies Ready);
