// Small models of other people (test/fixtures/cases), replayed; graphs and layers models.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { io, NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import type { DType } from "../../../../../src/shared/types/tensor.js";
import { loadGraph, rewriteGraph } from "../../../../support/graph-models.js";
import {
  bitsOf,
  type Execute,
  type Feeds,
  planOf,
  runPlan,
  runTfjs,
  useObservedWasm,
} from "../../../../support/plans.js";
import { readGraph } from "../../../../support/read-graph.js";

beforeAll(useObservedWasm);

const CASES = "test/fixtures/cases";
interface Numbers {
  dtype: DType;
  shape: number[];
  data: number[];
}
const expected = JSON.parse(readFileSync(join(CASES, "expected.json"), "utf8")) as Record<string, { inputs: Record<string, Numbers> }>; // biome-ignore format: one line

/** The input of the case, and the same numbers from the back, which are valid too. */
function feedsOf(inputs: Record<string, Numbers>, isReversed: boolean): Feeds {
  const entries = Object.entries(inputs).map(([name, { data, shape, dtype }]) => {
    const values = Float32Array.from(data);
    return [name, { data: isReversed ? values.reverse() : values, shape, dtype }] as const;
  });
  return Object.fromEntries(entries);
}

async function check(execute: Execute, inputs: Record<string, Numbers>): Promise<void> {
  const { plan } = await planOf(execute, feedsOf(inputs, false));
  for (const isReversed of [true, false]) {
    const feeds = feedsOf(inputs, isReversed);
    expect(bitsOf(await runPlan(plan, feeds))).toEqual(bitsOf(runTfjs(execute, feeds)));
  }
  plan.dispose();
}

test.each(["castout", "inf", "same", "batch2", "quant"])("graph %s", async (name) => {
  const graph = readGraph(join(CASES, name, "model.json"));
  const { inputs } = expected[name] as { inputs: Record<string, Numbers> };
  const given = Object.fromEntries(graph.graph.inputs.map((key) => [key, inputs[key.replace(/:0$/, "")] as Numbers]));
  const model = await loadGraph(graph, rewriteGraph(graph));
  await check((feeds: NamedTensorMap) => [model.execute(feeds, graph.graph.outputs)].flat() as Tensor[], given);
  model.dispose();
});

const LAYERS = [
  ...["twoheads", "encoder", "shared", "seqlen", "siamese", "nchw", "rgba", "sigmoid"],
  ...["bidir", "emb", "lnorm", "pad", "perm", "rep", "resc", "tconv", "td", "up"].map((name) => `layers/${name}`),
];

test.each(LAYERS)("layers %s", async (name) => {
  const path = join(CASES, name, "model.json");
  const json = JSON.parse(readFileSync(path, "utf8"));
  const [group] = json.weightsManifest;
  const bytes = Buffer.concat((group?.paths ?? []).map((file: string) => readFileSync(join(dirname(path), file))));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const artifacts = { ...json, trainingConfig: undefined, weightSpecs: group?.weights ?? [], weightData };
  const model = await loadLayersModel({ load: async () => artifacts as io.ModelArtifacts });
  const { inputs } = expected[name] as { inputs: Record<string, Numbers> };
  const predict = (feeds: NamedTensorMap) => [model.predict(Object.values(feeds))].flat() as Tensor[];
  await check(predict, inputs);
  model.dispose();
});
