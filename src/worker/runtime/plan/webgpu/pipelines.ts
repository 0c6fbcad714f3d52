// Compiles the shaders of plans at the same time; those of a device are compiled once.
import { withDeadline } from "../../../../shared/with-deadline.js";
import type { Gpu } from "../../gpu-device.js";
import { NoPlanError } from "../steps.js";

type Compiled = Map<string, Promise<GPUComputePipeline>>;

const ofDevice = new WeakMap<GPUDevice, Compiled>();
/** Drivers take up to seconds for all shaders of a model, not half a minute. */
const TIMEOUT_MS = 30_000;
/** Of tfjs's shaders. */
const ENTRY = "_start";

/** Rejects with `NoPlanError` for a text that does not compile, with `device_lost` where the device is lost meanwhile. */
export async function compileShaders(
  { device, whenLost }: Pick<Gpu, "device" | "whenLost">,
  texts: Iterable<string>,
): Promise<Map<string, GPUComputePipeline>> {
  const compiled: Compiled = ofDevice.get(device) ?? new Map();
  ofDevice.set(device, compiled);
  const wanted = [...new Set(texts)];
  device.pushErrorScope("validation");
  for (const text of wanted) if (!compiled.has(text)) compiled.set(text, compile(device, text));
  // What the scope hears of a text, the promise of its pipeline tells as well.
  device.popErrorScope().catch(() => undefined);
  const each = async (text: string) => [text, await (compiled.get(text) as Promise<GPUComputePipeline>)] as const;
  const all = Promise.all(wanted.map(each));
  const late = () => new NoPlanError(`the shaders were not compiled within ${TIMEOUT_MS / 1000} s`);
  try {
    return new Map(await withDeadline(Promise.race([all, whenLost]), TIMEOUT_MS, late));
  } catch (error) {
    for (const text of wanted) compiled.delete(text);
    throw error;
  }
}

async function compile(device: GPUDevice, code: string): Promise<GPUComputePipeline> {
  try {
    const module = device.createShaderModule({ code });
    return await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: ENTRY } });
  } catch (error) {
    throw new NoPlanError(`a shader of a stored plan does not compile: ${(error as Error).message}`);
  }
}
