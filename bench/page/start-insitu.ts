// Runs in a new page: times insitu from `load` to the first prediction.
import type { Backend, Client, ClientOptions, Model, TaskKind } from "../../src/index.js";
import { photo } from "./photo.js";

export interface Started {
  ms: number;
  backend: string;
  /** Where insitu read the package from. */
  source?: string;
  /** Whether the first prediction ran on a plan that an earlier visit had stored. */
  isPlanned?: boolean;
  digest?: string;
}

export async function start(
  createClient: (options: ClientOptions) => Client,
  base: string,
  picture: string,
  /** Whether the worker is started before the clock, as plain tfjs's script is. */
  isRunning: boolean,
  allowed: Backend,
): Promise<Started> {
  const image = await photo(picture);
  const beforeClient = performance.now();
  const client = createClient({ backends: [allowed] });
  if (isRunning) await client.capabilities();
  const started = isRunning ? performance.now() : beforeClient;
  const model = await client.load<TaskKind>(base);
  const { backend } = await model.predict(image);
  const ms = performance.now() - started;
  const isPlanned = model.info.plan.state === "used";
  // The next page needs the stored package and the chosen backend.
  await model.stored;
  await model.tuned;
  // And the plan: on WebGPU no package has one.
  if (allowed === "webgpu" && !isPlanned) await makePlan(model, image);
  const { source, digest } = model.info;
  await client.dispose();
  return { ms, backend, source, digest, isPlanned };
}

const MAX_WAIT_MS = 120_000;
/** It is stored after it was made. */
const STORING_MS = 1_000;

async function makePlan(model: Model, image: HTMLImageElement): Promise<void> {
  const end = performance.now() + MAX_WAIT_MS;
  for (let use = 0; isWaiting(model) && performance.now() < end; use += 1) {
    if (use < 3) await model.predict(image);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await new Promise((resolve) => setTimeout(resolve, STORING_MS));
}

const isWaiting = ({ info: { plan } }: Model): boolean => plan.state !== "used" && !plan.reason;
