// The progress of a load is exact in bytes and passes its phases in order.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { LoadProgress } from "../../../../src/shared/types/model.js";
import { useDelivery } from "../../../support/delivery.js";
import { makeGraph, republish, TABLE_BYTES } from "../../../support/graphs.js";

const GRAPH = { tables: [1, 2, 3, 4, 5], rows: 1024 };
const PHASES = ["download", "verify", "store", "compile", "warmup"];

/** What of it is kept by the time all is verified; the rest follows while the model is compiled. */
const PART = [expect.any(Number), expect.any(Number)];

const delivery = useDelivery();
beforeEach(() => makeGraph(delivery.folder, GRAPH));

/** Checks what must hold for every load, and returns the first and last step of each phase that there was. */
function check(progress: LoadProgress[]): Record<string, [first: number, last: number]> {
  const { files } = JSON.parse(readFileSync(join(delivery.folder, "insitu.json"), "utf8"));
  const total = files.reduce((sum: number, { size }: { size: number }) => sum + size, 0);
  expect(new Set(progress.map((step) => step.total))).toEqual(new Set([total]));
  const order = progress.map(({ phase }) => PHASES.indexOf(phase));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  return Object.fromEntries(
    [...new Set(order)].map((phase) => {
      const loaded = progress.filter((step) => step.phase === PHASES[phase]).map((step) => step.loaded / total);
      expect(loaded).toEqual([...new Set(loaded)].sort((a, b) => a - b));
      return [PHASES[phase], [loaded.at(0), loaded.at(-1)]];
    }),
  );
}

describe("the progress of", () => {
  test("a first load downloads from nothing to all, and reports what is stored before it compiles", async () => {
    const { progress } = await delivery.load();
    expect(check(progress)).toEqual({
      download: [0, 1],
      verify: [1, 1],
      store: PART,
      compile: [0, 1],
      warmup: [1, 1],
    });
    expect(progress.filter(({ phase }) => phase === "download").length).toBeGreaterThan(3);
  });

  test("a load from the store verifies from the first byte to the last, and downloads and stores nothing", async () => {
    await delivery.load();
    const { progress } = await delivery.load();
    const { verify, ...rest } = check(progress);
    expect(verify).toEqual([expect.closeTo(0, 2), 1]);
    expect(rest).toEqual({ compile: [0, 1], warmup: [1, 1] });
  });

  test("a resumed load begins with what is there already", async () => {
    await delivery.interrupt("weights.bin", 2.5 * TABLE_BYTES, 5);
    const { progress } = await delivery.load();
    const { download, ...rest } = check(progress);
    // Two chunks of five are missing.
    expect(download).toEqual([expect.closeTo(3 / 5, 2), 1]);
    expect(rest).toEqual({ verify: [1, 1], store: PART, compile: [0, 1], warmup: [1, 1] });
  });

  test("a connection that is cut and a chunk that comes wrong move nothing back", async () => {
    delivery.fail("weights.bin", [
      { kind: "cut", bytes: 1.5 * TABLE_BYTES },
      { kind: "alter", offset: 3 * TABLE_BYTES - 1 },
      { kind: "truncate", bytes: TABLE_BYTES / 2 },
    ]);
    const { code, progress } = await delivery.load();
    expect(code).toBe("");
    expect(check(progress)).toEqual({
      download: [0, 1],
      verify: [1, 1],
      store: PART,
      compile: [0, 1],
      warmup: [1, 1],
    });
  });

  test("a newer release that shares its weights with the old one downloads nothing, and is still stored", async () => {
    await delivery.load();
    republish(delivery.folder, (manifest) => void Object.assign(manifest, { version: "1.0.1", release: 2 }));
    const { version, progress } = await delivery.load({ refresh: true });
    expect(version).toBe("1.0.1");
    expect(check(progress)).toEqual({ verify: [1, 1], store: PART, compile: [0, 1], warmup: [1, 1] });
  });
});
