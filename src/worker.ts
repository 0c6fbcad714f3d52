// The worker's entry: exposes the host at once, then says that it is ready and which protocol it speaks.
import { expose } from "comlink";
import { PROTOCOL, type Ready, registerErrorTransfer } from "./shared/protocol.js";
import { createHost } from "./worker/host.js";
import { createFile } from "./worker/import-file.js";
import { cryptoFile } from "./worker/lib/crypto-file.js";
import { channelCode } from "./worker/package/channel-code.js";
import { chunkDownload } from "./worker/package/download/chunk-download.js";
import { browserPlatform } from "./worker/package/platform.js";
import { selfTestReader } from "./worker/package/self-test-reader.js";
import { createFallbackStore } from "./worker/package/store/fallback-store.js";
import { openIndexedDbStore } from "./worker/package/store/indexeddb-store.js";
import { writerCode } from "./worker/package/store/writer-code.js";
import { answerPredictions } from "./worker/predict-calls.js";
import { createEngine } from "./worker/runtime/engines.js";
import { kernelCode } from "./worker/runtime/plan/own-kernels.js";
import { planReader } from "./worker/runtime/plan/plan-reader.js";
import { threadedStart } from "./worker/runtime/plan/threaded-start.js";
import { verification } from "./worker/runtime/session/verification.js";
import { tuningCode } from "./worker/runtime/tuning/tuning-code.js";
import { createWasmBinaries, type WasmBinary } from "./worker/runtime/wasm-binary.js";
import { validateHostCalls, validateMessages } from "./worker/validate-request.js";

// Each written out: the consumers' bundlers find a file to ship by such a literal alone, and rewrite it to where it went.
const WASM: Record<WasmBinary, string> = {
  "tfjs-backend-wasm.wasm": new URL("./wasm/tfjs-backend-wasm.wasm", import.meta.url).href,
  "tfjs-backend-wasm-simd.wasm": new URL("./wasm/tfjs-backend-wasm-simd.wasm", import.meta.url).href,
  "tfjs-backend-wasm-threaded-simd.wasm": new URL("./wasm/tfjs-backend-wasm-threaded-simd.wasm", import.meta.url).href,
};
const tfjsFile = createFile<typeof import("./worker/engine-tfjs.js")>(
  new URL("./engine-tfjs.js", import.meta.url).href,
);
const codeCrypto = createFile<typeof import("./worker/worker-crypto.js")>(
  new URL("./worker-crypto.js", import.meta.url).href,
);
const importFirstVisit = createFile<typeof import("./worker/worker-first-visit.js")>(
  new URL("./worker-first-visit.js", import.meta.url).href,
);
/** The file has a copy of its own of what says where cryptography is. */
const firstVisitFile = async () => {
  const file = await importFirstVisit();
  file.cryptoFile.provide(codeCrypto);
  return file;
};
const threadsFile = createFile<typeof import("./worker/worker-threads.js")>(
  new URL("./worker-threads.js", import.meta.url).href,
);
const gpuFile = createFile<typeof import("./worker/worker-gpu.js")>(new URL("./worker-gpu.js", import.meta.url).href);
const kernelsFile = createFile<typeof import("./worker/worker-kernels.js")>(
  new URL("./worker-kernels.js", import.meta.url).href,
);
const personalFile = createFile<typeof import("./worker/worker-personal.js")>(
  new URL("./worker-personal.js", import.meta.url).href,
);

registerErrorTransfer();
cryptoFile.provide(codeCrypto);
chunkDownload.provide(firstVisitFile);
writerCode.provide(firstVisitFile);
channelCode.provide(firstVisitFile);
selfTestReader.provide(firstVisitFile);
planReader.provide(firstVisitFile);
threadedStart.provide(threadsFile);
kernelCode.provide(kernelsFile);
verification.provide(firstVisitFile);
tuningCode.provide(firstVisitFile);

const host = createHost({
  ports: browserPlatform,
  openStore({ storage, backends }, emit) {
    // A page that may not start WebAssembly would report a violation of its policy.
    const options = { ...storage, fastChecksum: backends.includes("wasm") };
    return createFallbackStore(openIndexedDbStore(options, emit), emit);
  },
  createEngine({ wasmBase }, store) {
    const binaries = createWasmBinaries({
      url: (name) => (wasmBase === undefined ? WASM[name] : new URL(name, wasmBase).href),
      cache: {
        // A binary that cannot be kept is fetched again next time; the model runs either way.
        get: (binary) => store.readBinary(binary).catch(() => undefined),
        put: (binary, bytes) => store.putBinary(binary, bytes).catch(() => undefined),
      },
    });
    const loadTfjs = async () => (await tfjsFile()).tfjsEngine(binaries);
    const loadGpu = async () => (await gpuFile()).createGpuEngine(firstVisitFile);
    return createEngine({ binaries, loadTfjs, loadGpu, loadRewriting: firstVisitFile });
  },
  async openPersonal({ storage }, engine, scheduler) {
    const { PersonalRegistry } = await personalFile();
    const training = async () => (await tfjsFile()).fitSoftmax;
    return new PersonalRegistry({ storage: storage.name, engine, scheduler, training });
  },
});
const checked = validateHostCalls(host);
expose(checked, validateMessages(self));
answerPredictions(checked, self);

postMessage({ insitu: "ready", protocol: PROTOCOL } satisfies Ready);
