// Creates an insitu client for the chosen backend and loads the page's two models.
import { type Backend, type Client, createClient, type LoadProgress, type Model } from "insitu";

export type Choice = "auto" | Backend;

export interface Engine {
  client: Client;
  objects: Promise<Model<"detection">>;
  digits: Promise<Model<"classification">>;
}

export interface EngineOptions {
  choice: Choice;
  collector: string | null;
  onProgress(model: string, progress: LoadProgress): void;
}

export function openEngine({ choice, collector, onProgress }: EngineOptions): Engine {
  const client = createClient({
    assets: { wasm: "/insitu/wasm/" },
    ...(choice !== "auto" && { backends: [choice] }),
    ...(collector && { telemetry: { endpoint: collector, service: { name: "insitu-demo", version: __VERSION__ } } }),
  });
  const objects = client.load("/models/objects/", {
    task: "detection",
    onProgress: (progress) => onProgress("objects", progress),
  });
  // Loaded one after the other, since the visitor waits for the photo at the top.
  const digits = objects
    .catch(() => undefined)
    .then(() =>
      client.load("/models/digits/", {
        task: "classification",
        onProgress: (progress) => onProgress("digits", progress),
      }),
    );
  // The code that awaits them shows the failure; this only avoids an unhandled rejection.
  objects.catch(() => undefined);
  digits.catch(() => undefined);
  return { client, objects, digits };
}
