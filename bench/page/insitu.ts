// insitu as one engine of a comparison: the built library, after it has chosen its backend.
import type { Client, ClientOptions, Model, TaskKind } from "../../src/index.js";
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { Backend } from "../../src/shared/types/tensor.js";
import type { Side } from "./side.js";

export type CreateClient = (options: ClientOptions) => Client;

// The library keeps measuring after the load. It is settled after no change for STILL_MS, or after SETTLED_MS at most.
const STILL_MS = 2_000;
const SETTLED_MS = 60_000;
const POLL_MS = 250;
const KERNEL_USES = 5;

export async function loadInsitu(createClient: CreateClient, base: string, backend: Backend): Promise<Side> {
  const manifest = (await (await fetch(`${base}insitu.json`)).json()) as Manifest;
  const client = createClient({ backends: [backend] });
  const model = await client.load<TaskKind>(base);
  const used = new Set<string>();
  const predict = async (input: HTMLImageElement | Float32Array) => {
    const prediction = await model.predict(input);
    used.add(prediction.backend);
    return prediction;
  };
  await settled(model);
  await choosesKernels(model);
  return {
    predict,
    async outputs(input) {
      const { outputs } = await predict(input);
      return Object.fromEntries(
        manifest.outputs.map(({ name }) => [
          name,
          outputs[name] ?? { data: new Float32Array(), shape: [], dtype: "float32" },
        ]),
      );
    },
    ran() {
      if (used.size > 1) throw new Error(`insitu changed backends while it was measured: ${[...used].join(", ")}.`);
      const { digest, threads, measured, refused } = model.info;
      const tried = measured.map((one) => `${one.backend} ${one.threads ?? 1}: ${one.p50Ms.toFixed(1)} ms`);
      const { kernels } = model.info.plan;
      const choice = [
        ...tried,
        ...(kernels ? [`${kernels} steps by own kernels`] : []),
        ...refused.map(({ backend, reason }) => `not ${backend}: ${reason}`),
      ].join(", ");
      const [on = ""] = used;
      return { backend: on, threads, digest, choice };
    },
    dispose: () => client.dispose(),
  };
}

/** Kernels are chosen while a model is used, in pauses. */
async function choosesKernels(model: Model): Promise<void> {
  const sides = model.info.inputs[0]?.shape ?? [];
  const size = sides.reduce((product, side) => product * Math.max(1, side), 1);
  const noise = Float32Array.from({ length: size }, (_, index) => ((index * 7919) % 251) / 251);
  for (let use = 0; use < KERNEL_USES; use += 1) {
    await model.predict(noise);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await settled(model);
}

/** Waits until the library has chosen the fastest backend; it measures while it is idle. */
export async function settled(model: Model): Promise<void> {
  const began = performance.now();
  await Promise.race([model.tuned, new Promise((resolve) => setTimeout(resolve, SETTLED_MS))]);
  let last = "";
  let since = began;
  while (performance.now() - since < STILL_MS && performance.now() - began < SETTLED_MS) {
    const now = JSON.stringify(model.info);
    if (now !== last) since = performance.now();
    last = now;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
