// Restores the exact hard swish of human-models' selfie: x / 6, for which the file stores 1 / 6 as float16.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

interface WeightSpec {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string };
}

/** 1 / 6 as float16 is 0.16663, 0.02 % too small. */
const SIXTH_AS_FLOAT16 = 0x3155;

/**
 * Writes the model into `folder` with every constant 1 / 6 as float32, and returns the path of its model.json. Google's own file
 * has exact hard swishes and otherwise the same weights; at the edges of the mask the eleven roundings add up to 0.018.
 */
export function withExactSixths(model: string, folder: string): string {
  const json = JSON.parse(readFileSync(model, "utf8")) as {
    weightsManifest: { paths: string[]; weights: WeightSpec[] }[];
  };
  mkdirSync(folder, { recursive: true });
  for (const group of json.weightsManifest) {
    const bytes = Buffer.concat(group.paths.map((path) => readFileSync(join(dirname(model), path))));
    const parts: Uint8Array[] = [];
    let offset = 0;
    for (const spec of group.weights) {
      const size =
        spec.shape.reduce((all, length) => all * length, 1) * (spec.quantization?.dtype === "float16" ? 2 : 4);
      const isSixth = size === 2 && bytes.readUInt16LE(offset) === SIXTH_AS_FLOAT16;
      parts.push(isSixth ? new Uint8Array(Float32Array.of(1 / 6).buffer) : bytes.subarray(offset, offset + size));
      if (isSixth) delete spec.quantization;
      offset += size;
    }
    group.paths = group.paths.slice(0, 1);
    writeFileSync(join(folder, group.paths[0] ?? ""), Buffer.concat(parts));
  }
  const path = join(folder, basename(model));
  writeFileSync(path, JSON.stringify(json));
  return path;
}
