// Reads a graph model and its weights from files.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { graphFromJson, type TestGraph } from "./graph-models.js";

/** A model.json and what it names. */
export function readGraph(path: string, outputs?: string[]): TestGraph {
  const json = JSON.parse(readFileSync(path, "utf8"));
  const groups = json.weightsManifest.map(({ paths }: { paths: string[] }) => {
    const bytes = Buffer.concat(paths.map((name) => readFileSync(join(dirname(path), name))));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  });
  return graphFromJson(json, groups, outputs);
}
