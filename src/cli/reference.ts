// Opens a model in Node on tfjs's plain JavaScript backend, whose answers are the reference for all others.
import { enableProdMode } from "@tensorflow/tfjs-core";
import { asInsituError } from "../shared/errors.js";
import type { ModelSource, Session } from "../worker/runtime/session/engine.js";
import { tfjsEngine } from "../worker/runtime/tfjs/engine.js";

/**
 * The engine that a page has, so that what is recorded here is what cpu gives there. Import this file only where a model is run:
 * it brings all of tfjs. Throws `backend_unavailable` when tfjs cannot run the model.
 */
export async function openReference(source: ModelSource): Promise<Session> {
  // Else tfjs prints an advertisement for its package for Node.
  enableProdMode();
  const none = { get: () => Promise.resolve(undefined), put: () => Promise.resolve() };
  const engine = tfjsEngine({ url: (name) => name, cache: none });
  try {
    return await engine.open(source, { backend: "cpu" });
  } catch (error) {
    throw asInsituError(error, "backend_unavailable", "tfjs cannot open the model on its cpu backend");
  }
}
