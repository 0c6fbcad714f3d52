// The worker's entry: exposes the host at once, then says that it is ready and which protocol it speaks.
import { expose } from "comlink";
import { createHost } from "./host.js";
import { openStore } from "./model/store.js";
import { keepErrorsWhole, PROTOCOL, type Ready } from "./protocol.js";
import { tfjsEngine } from "./runtime/tfjs.js";

keepErrorsWhole();

expose(
  createHost({
    openStore: ({ storage }) => openStore(storage.name, storage.maxBytes),
    createEngine: ({ wasmBase }, store) =>
      tfjsEngine({
        base: wasmBase ?? new URL("./wasm/", import.meta.url).href,
        cache: {
          // A binary that cannot be kept is fetched again next time; the model runs either way.
          get: (binary) => store.read(binary).catch(() => undefined),
          put: (binary, bytes) => store.put(binary.sha256, bytes).catch(() => undefined),
        },
      }),
  }),
);

postMessage({ insitu: "ready", protocol: PROTOCOL } satisfies Ready);
