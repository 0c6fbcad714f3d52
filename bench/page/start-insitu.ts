// Runs in a new page: times insitu from `load` to the first prediction.
import type { Client, ClientOptions, TaskKind } from "../../src/index.js";
import { photo } from "./photo.js";

export interface Started {
  ms: number;
  backend: string;
  /** Where insitu read the package from. */
  source?: string;
  digest?: string;
}

export async function start(
  createClient: (options: ClientOptions) => Client,
  base: string,
  picture: string,
  /** Whether the worker is started before the clock, as plain tfjs's script is. */
  isRunning: boolean,
): Promise<Started> {
  const image = await photo(picture);
  const beforeClient = performance.now();
  const client = createClient({ backends: ["wasm"] });
  if (isRunning) await client.capabilities();
  const started = isRunning ? performance.now() : beforeClient;
  const model = await client.load<TaskKind>(base);
  const { backend } = await model.predict(image);
  const ms = performance.now() - started;
  // The next page needs the stored package and the chosen backend.
  await model.stored;
  await model.tuned;
  const { source, digest } = model.info;
  await client.dispose();
  return { ms, backend, source, digest };
}
