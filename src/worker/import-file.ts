// Imports a file that lies beside the worker, when it is wanted, and again where that failed.
import { asInsituError, InsituError } from "../shared/errors.js";
import { withDeadline } from "../shared/with-deadline.js";
import { once } from "./lib/once.js";
import { VERSION } from "./lib/version.js";

// The largest has 210 kB; on a slow connection it takes seconds, not a minute.
const TIMEOUT_MS = 60_000;
const ADVICE = "Serve all files of dist together";

/**
 * `url` is written by the caller as `new URL("./name.js", import.meta.url).href`, by which bundlers find the file. Rejects with `network`
 * where the file cannot be had, with `timeout` where it does not come, with `model_integrity` where it is of another version; the next call tries again.
 */
export function createFile<Exports extends { VERSION: string }>(url: string): () => Promise<Exports> {
  let tries = 0;
  return once(async () => {
    const attempt = tries;
    tries += 1;
    let found = await importOnce<Exports>(url, attempt);
    // A cache may hold the file of the version before.
    if (found.VERSION !== VERSION) found = await importOnce<Exports>(`${url}?version=${VERSION}`, attempt);
    if (found.VERSION === VERSION) return found;
    const message = `${url} is of version ${found.VERSION}, worker.js of ${VERSION}. ${ADVICE}, or copy them again.`;
    throw new InsituError("model_integrity", message, { url, expected: VERSION, actual: found.VERSION });
  });
}

/** Browsers remember that an address failed, and never ask for it again: a later try has another one. */
async function importOnce<Exports>(url: string, tries: number): Promise<Exports> {
  const address = tries > 0 ? `${url}${url.includes("?") ? "&" : "?"}again=${tries}` : url;
  const late = () => new InsituError("timeout", `${url} did not arrive within a minute.`, { url });
  try {
    return await withDeadline(import(address) as Promise<Exports>, TIMEOUT_MS, late);
  } catch (error) {
    throw asInsituError(error, "network", `Could not load ${url}, which belongs beside worker.js. ${ADVICE}`, { url });
  }
}
