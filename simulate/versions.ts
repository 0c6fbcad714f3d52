// The packages that real pages run: digits as it is shipped, and a canary with some points less accuracy.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { heldOut } from "../models/digits/data.js";
import { measure } from "../models/digits/measure.js";
import { packModel } from "../src/cli/pack.js";
import { CANARY } from "./fleet.js";
import { createRandom } from "./random.js";
import { MODEL } from "./simulated-page.js";

const SHIPPED = fileURLToPath(new URL("../models/digits/package", import.meta.url));

export interface RealVersions {
  /** On the thousand held-out digits. */
  accuracy: { stable: number; canary: number };
}

/** Writes `1.0.0` and the canary's version into `folder`. The canary's weights are noisy by as much as costs `points` of accuracy at least. */
export async function writeVersions(folder: string, points: number): Promise<RealVersions> {
  cpSync(SHIPPED, join(folder, "1.0.0"), { recursive: true });
  const digits = heldOut();
  const stable = await measure(join(SHIPPED, "model.json"), digits);
  const source = join(folder, "noisy");
  mkdirSync(source);
  cpSync(join(SHIPPED, "model.json"), join(source, "model.json"));
  const { weightsManifest } = JSON.parse(readFileSync(join(SHIPPED, "model.json"), "utf8"));
  const specs: WeightSpec[] = weightsManifest[0].weights;
  let canary = stable;
  for (let noise = 0.1; canary > stable - points; noise += 0.05) {
    writeFileSync(join(source, "weights.bin"), noisy(readFileSync(join(SHIPPED, "weights.bin")), specs, noise));
    canary = await measure(join(source, "model.json"), digits);
  }
  const { inputs, outputs, task } = JSON.parse(readFileSync(join(SHIPPED, "insitu.json"), "utf8"));
  const names = { name: MODEL, version: CANARY, task: { inputs, outputs, task } };
  await packModel({ model: join(source, "model.json"), out: join(folder, CANARY), ...names });
  return { accuracy: { stable, canary } };
}

interface WeightSpec {
  shape: number[];
  dtype: "float32" | "int32";
}

/** Each float times 1 plus normal noise. The integers are sizes and axes, and stay. */
function noisy(bytes: Buffer, specs: WeightSpec[], deviation: number): Buffer {
  const random = createRandom(1);
  const weights = new Float32Array(new Uint8Array(bytes).buffer);
  let start = 0;
  for (const { shape, dtype } of specs) {
    const end = start + shape.reduce((size, side) => size * side, 1);
    if (dtype === "float32")
      for (let i = start; i < end; i += 1) weights[i] = (weights[i] ?? 0) * (1 + deviation * random.normal());
    start = end;
  }
  return Buffer.from(weights.buffer);
}
