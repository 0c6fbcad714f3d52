// Runs a package's self-tests in Node, on the backend with which they were recorded.
import { join } from "node:path";
import { InsituError } from "../shared/errors.js";
import type { Manifest } from "../shared/types/manifest.js";
import { parseSelfTestInput, parseSelfTestOutputs, type SelfTest } from "../worker/package/self-test-files.js";
import type { ModelJson } from "../worker/package/topology.js";
import type { Session } from "../worker/runtime/session/engine.js";
import { type Comparison, compareOutputs, reasonText } from "../worker/runtime/session/verify-session.js";
import { readText, weightChunks } from "./files.js";

/** Reads and parses the self-tests of the package in `folder`; throws `model_format`, as a page does. */
export async function readSelfTests({ selfTest = [], inputs, outputs }: Manifest, folder: string): Promise<SelfTest[]> {
  const tests: SelfTest[] = [];
  for (const spec of selfTest) {
    const [input, right] = [join(folder, spec.input), join(folder, spec.outputs)];
    tests.push({
      inputs: parseSelfTestInput(await readText(input), inputs, input),
      outputs: parseSelfTestOutputs(await readText(right), outputs, right),
      tolerance: spec.tolerance,
    });
  }
  return tests;
}

/** Runs the self-tests on cpu and returns how far each deviates; throws `output_invalid` if a deviation exceeds the tolerance. */
export async function runSelfTests(manifest: Manifest, model: ModelJson, folder: string): Promise<Comparison[]> {
  const tests = await readSelfTests(manifest, folder);
  if (tests.length === 0) {
    const message = `${folder} has no self-test to run. Pack the model again without --no-self-test.`;
    throw new InsituError("input_invalid", message, { folder });
  }
  const session = await openOnCpu(manifest, model, folder);
  try {
    const found: Comparison[] = [];
    for (const { inputs, outputs, tolerance } of tests) {
      const { outputs: actual } = await session.run(inputs);
      const comparison = compareOutputs(outputs, actual, tolerance.cpu);
      found.push(comparison);
      if (comparison.agrees) continue;
      const message = `${folder} does not compute the recorded outputs: ${reasonText(comparison, "cpu", tolerance.cpu)}. Its weights differ from those of the model that was recorded. Pack the model again.`;
      throw new InsituError("output_invalid", message, { folder, ...comparison });
    }
    return found;
  } finally {
    session.dispose();
  }
}

/** Opens the model with its weights from `folder` on tfjs's cpu backend. tfjs is imported here, since most commands do not need it. */
export async function openOnCpu(
  { inputs, outputs }: Pick<Manifest, "inputs" | "outputs">,
  model: ModelJson,
  folder: string,
): Promise<Session> {
  const { openReference } = await import("./reference.js");
  const weights = () => weightChunks(model.weightFiles.map((path) => join(folder, path)));
  return openReference({ model, weights, inputs, outputs });
}
