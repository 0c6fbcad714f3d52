// Serves the film catalogue as two files: titles and facts as JSON, and the model's features as raw float32.
import type { Plugin } from "vite";
import { catalogue } from "../../models/ranker/catalogue.js";

const FILES: Record<string, { type: string; body: () => Buffer }> = {
  "films/catalogue.json": {
    type: "application/json",
    body: () =>
      Buffer.from(
        JSON.stringify(catalogue().map(({ id, title, year, rating, traits }) => ({ id, title, year, rating, traits }))),
      ),
  },
  "films/features.f32": {
    type: "application/octet-stream",
    body: () =>
      Buffer.concat(
        catalogue().map(({ features }) => Buffer.from(features.buffer, features.byteOffset, features.byteLength)),
      ),
  },
};

export function films(): Plugin {
  return {
    name: "insitu-demo:films",
    generateBundle() {
      for (const [fileName, { body }] of Object.entries(FILES))
        this.emitFile({ type: "asset", fileName, source: body() });
    },
    configureServer({ middlewares }) {
      for (const [name, { type, body }] of Object.entries(FILES)) {
        middlewares.use(`/${name}`, (_req, res) => {
          res.setHeader("Content-Type", type);
          res.end(body());
        });
      }
    },
  };
}
