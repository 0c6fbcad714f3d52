// Runs in a new page: times plain tfjs from the load to the first prediction, including the start of its backend.
import type { Backend } from "../../src/index.js";
import { photo } from "./photo.js";
import { openPlain } from "./plain.js";
import type { Started } from "./start-insitu.js";

export async function start(base: string, picture: string, _isRunning: boolean, backend: Backend): Promise<Started> {
  const image = await photo(picture);
  const started = performance.now();
  const plain = await openPlain(base, backend);
  await plain.predict(image);
  return { ms: performance.now() - started, backend: plain.ran().backend };
}
