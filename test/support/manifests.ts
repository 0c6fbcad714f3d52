// A valid manifest that a test changes, and the error that the change must give.
import { expect } from "vitest";
import { InsituError } from "../../src/shared/errors.js";

export const WHERE = "https://host.example/models/objects/insitu.json";
export const HASH = "0123456789abcdef".repeat(4);
export const COLUMNS = ["left", "top", "right", "bottom", "score", "class"];

export type Json = Record<string, unknown>;

export function valid(changes: Json = {}): Json {
  return {
    insitu: 1,
    name: "objects",
    version: "1.0.0",
    release: 7,
    created: "2026-01-31T12:00:00.000Z",
    format: "tfjs-graph-model",
    files: [
      { path: "model.json", size: 100, sha256: HASH },
      {
        path: "shards/group1-shard1of1.bin",
        size: 30,
        chunks: [
          { size: 20, sha256: HASH },
          { size: 10, sha256: HASH },
        ],
      },
    ],
    inputs: [{ name: "images", dtype: "float32", shape: [1, 8, 8, 3], image: {} }],
    outputs: [{ name: "detections", dtype: "float32", shape: [1, 100, 6] }],
    task: { kind: "detection", labels: ["cat", "dog"], columns: COLUMNS, minScore: 0.3 },
    ...changes,
  };
}

export function refusal(run: () => unknown): InsituError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InsituError);
    return error as InsituError;
  }
  throw new Error("It was accepted.");
}
