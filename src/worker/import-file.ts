// Imports a file that lies beside the worker, when it is wanted, and again where that failed.
import { asInsituError } from "../shared/errors.js";

/**
 * `url` is written by the caller as `new URL("./name.js", import.meta.url).href`, by which bundlers find the file. Rejects with `network`
 * where the file cannot be had.
 */
export function createFile<Exports>(url: string): () => Promise<Exports> {
  let tries = 0;
  let known: Promise<Exports> | undefined;
  const fetched = async () => {
    // Browsers remember that an address failed, and never ask for it again.
    const address = tries > 0 ? `${url}?again=${tries}` : url;
    tries += 1;
    try {
      return (await import(address)) as Exports;
    } catch (error) {
      const what = `Could not load ${url}, which belongs beside worker.js. Serve all files of the package's dist folder together`;
      throw asInsituError(error, "network", what, { url });
    }
  };
  return () => {
    const started = known ?? fetched();
    known = started;
    started.catch(() => {
      known = undefined;
    });
    return started;
  };
}
