// In the page: a model's predictions by tfjs until each batch size has a plan, and then the same predictions by the plans.
import type { Backend, PlanInfo } from "../../src/index.js";
import type { LibraryPage } from "./page.js";

export interface Compared {
  before: PlanInfo;
  after: PlanInfo;
  /** The outputs' bytes, of inputs that were first predicted by tfjs and then by the plan. */
  outputs: [tfjs: string, plan: string][];
}

export interface CompareOptions {
  /** Of the batches. */
  sizes?: number[];
  backend?: Backend;
  /** URL of the worker's script, if it is not the library's. */
  worker?: string;
}

/** Resolves when all sizes have a plan, or one says why it has none. */
export async function comparePlans(
  { page }: LibraryPage,
  path: string,
  options: CompareOptions = {},
): Promise<Compared> {
  const { sizes = [1], backend = "wasm", worker } = options;
  return page.evaluate(
    async ({ path, sizes, backend, worker }) => {
      const client = window.insitu.createClient({ backends: [backend], ...(worker && { worker }) });
      const model = await client.load(path);
      await model.tuned;
      const feed = (seed: number) =>
        Object.fromEntries(
          model.info.inputs.map(({ name, dtype, shape }) => {
            const length = shape.reduce((product, side) => product * Math.max(1, side), 1);
            const values = Array.from({ length }, (_, index) => ((index + 1) * (seed + 3) * 7919) % 251);
            const floats = Float32Array.from(values, (value) => value / 255);
            return [name, dtype === "int32" ? Int32Array.from(values) : floats];
          }),
        );
      const hex = ({ outputs }: { outputs: Record<string, { data: ArrayBufferView }> }) =>
        Object.values(outputs)
          .flatMap(({ data }) => Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)))
          .join();
      // Predictions that wait run together: with the first of them, which runs alone, they are `size` + 1.
      const batch = async (size: number) => {
        const calls = Array.from({ length: size === 1 ? 1 : size + 1 }, (_, seed) => model.predict(feed(seed)));
        return (await Promise.all(calls)).map(hex);
      };
      const all = async () => {
        const found: string[][] = [];
        for (const size of sizes) found.push(await batch(size));
        return found.flat();
      };
      const before = model.info.plan;
      const tfjs = await all();
      const until = performance.now() + 60_000;
      for (let round = 0; round < 2; round += 1) await all();
      while (performance.now() < until && model.info.plan.shapes < sizes.length && !model.info.plan.reason)
        await new Promise((resolve) => setTimeout(resolve, 50));
      const plan = await all();
      const after = model.info.plan;
      await client.dispose();
      return { before, after, outputs: tfjs.map((one, index): [string, string] => [one, plan[index] as string]) };
    },
    { path, sizes, backend, worker },
  );
}
