// Starts the backend of the last visit before a model is asked for.
import type { HostConfig } from "../shared/protocol.js";
import type { Engine } from "./runtime/session/engine.js";

/** Does nothing where the hint no longer fits: it is from another visit, and the page may have other rights now. */
export async function prewarmBackend(engine: Engine, { hint, backends, maxThreads }: HostConfig): Promise<void> {
  if (!hint || !backends.includes(hint.backend)) return;
  const wanted = hint.threads ?? 1;
  if (!(wanted >= 1)) return;
  const { available, software, threads = 1 } = await engine.probe(hint.backend);
  if (available && !software && wanted <= Math.min(threads, maxThreads)) await engine.start(hint, hint.plan === true);
}
