// Runs in a fresh page: from `load` to the first prediction by insitu.
import type { Client, ClientOptions, TaskKind } from "../../src/index.js";
import { photo } from "./photo.js";

export interface Started {
  ms: number;
  backend: string;
  /** Where insitu's bytes came from. */
  source?: string;
  digest?: string;
}

export async function start(
  createClient: (options: ClientOptions) => Client,
  base: string,
  picture: string,
  /** Whether the worker runs before the clock does, as plain tfjs's script does. */
  runs: boolean,
): Promise<Started> {
  const image = await photo(picture);
  const begun = performance.now();
  const client = createClient({ backends: ["wasm"] });
  if (runs) await client.capabilities();
  const started = runs ? performance.now() : begun;
  const model = await client.load<TaskKind>(base);
  const { backend } = await model.predict(image);
  const ms = performance.now() - started;
  // The next page must find the package, and which backend is fastest.
  await model.stored;
  await model.tuned;
  const { source, digest } = model.info;
  await client.dispose();
  return { ms, backend, source, digest };
}
