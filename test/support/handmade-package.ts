// Packages of graphs written by hand, for loading in a browser.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packModel } from "../../src/cli/pack.js";
import type { TaskFile } from "../../src/cli/task-file.js";
import type { Part } from "./handmade.js";

export interface HandmadePackage {
  parts: Part[];
  inputs: string[];
  outputs: string[];
  task?: TaskFile;
  name?: string;
  /** Whether the package gets plans. @defaultValue false */
  plan?: boolean;
}

/** Writes the package into `folder`, which is made. */
export async function packHandmade(folder: string, given: HandmadePackage): Promise<void> {
  const { parts, inputs, outputs, task, name = "handmade", plan = false } = given;
  mkdirSync(folder, { recursive: true });
  const constants = parts.flatMap(({ node, constant }) => (constant ? [{ name: node.name, ...constant }] : []));
  const bytes = constants.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(bytes));
  const entry = (given: string) => {
    const part = parts.find(({ node }) => node.name === given);
    const shape = (part?.node.attr.shape as { shape?: object } | undefined)?.shape;
    return [given, { name: given, dtype: "DT_FLOAT", ...(shape && { tensorShape: shape }) }];
  };
  const model = {
    format: "graph-model",
    modelTopology: { node: parts.map(({ node }) => node), library: {}, versions: { producer: 1, minConsumer: 1 } },
    signature: {
      inputs: Object.fromEntries(inputs.map(entry)),
      outputs: Object.fromEntries(outputs.map(entry)),
    },
    weightsManifest: [
      { paths: ["weights.bin"], weights: constants.map(({ name, shape, dtype }) => ({ name, shape, dtype })) },
    ],
  };
  const path = join(folder, "model.json");
  writeFileSync(path, JSON.stringify(model));
  await packModel({ model: path, out: folder, name, version: "1.0.0", release: 1, task, selfTest: false, plan });
}
