// Opens a model in Node on tfjs's plain JavaScript backend, whose outputs are the reference for all other backends.
import { enableProdMode } from "@tensorflow/tfjs-core";
import { asInsituError } from "../shared/errors.js";
import type { ModelSource, Session } from "../worker/runtime/session/engine.js";
import { tfjsEngine } from "../worker/runtime/tfjs/engine.js";

/**
 * Uses the same engine as a page, so that the recorded outputs equal those of the cpu backend there. Import this file only where a
 * model is run, since it loads all of tfjs. Throws `backend_unavailable` if tfjs cannot run the model.
 */
export async function openReference(source: ModelSource): Promise<Session> {
  // Otherwise tfjs prints an advertisement for its Node package.
  enableProdMode();
  const none = { get: () => Promise.resolve(undefined), put: () => Promise.resolve() };
  const engine = tfjsEngine({ url: (name) => name, cache: none });
  try {
    return await engine.open(source, { backend: "cpu" });
  } catch (error) {
    throw asInsituError(error, "backend_unavailable", "tfjs cannot open the model on its cpu backend");
  }
}
