// A hostile host: bodies that do not end are cut off, HTML pages and what is not the package are refused.
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { useDelivery } from "../../../../support/delivery.js";
import { answerOf, makeGraph } from "../../../../support/graphs.js";

const MIB = 1024 * 1024;
const GRAPH = { tables: [1, 2, 3], rows: 16, files: "apart" } as const;
const answer = expect.arrayContaining(answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5)));
const FILES = ["insitu.json", "model.json", "table_0.bin", "table_1.bin", "table_2.bin", "axis.bin"];

const delivery = useDelivery();
beforeEach(() => makeGraph(delivery.folder, GRAPH));

describe("a body without an end", () => {
  const cases = ["insitu.json", "model.json", "table_1.bin"].flatMap((file) => [
    { file, what: "endless", encoding: undefined },
    { file, what: "a compression bomb", encoding: "gzip" as const },
  ]);
  test.each(cases)("$file that is $what is cut off", async ({ file, encoding }) => {
    delivery.fail(file, { kind: "endless", encoding });
    const { ms, ...loaded } = await delivery.load();
    // What the manifest promises is there, and verified; what comes after it belongs to no file.
    const expected = file === "insitu.json" ? { code: "model_too_large" } : { code: "", storeError: undefined, answer };
    expect(loaded).toMatchObject(expected);
    expect(ms).toBeLessThan(10_000);
    await vi.waitFor(() => expect(delivery.asked(file)).toMatchObject([{ ended: "early" }]), 3000);
    // The rest of it is what the network's buffers hold.
    expect(delivery.asked(file)[0]?.sent).toBeLessThan(encoding ? MIB : 24 * MIB);
    delivery.heal();
    expect(await delivery.load()).toMatchObject({ code: "", answer });
  });

  test("a compression bomb of other bytes than the file's is refused at the first chunk", async () => {
    writeFileSync(join(delivery.folder, "table_1.bin"), "");
    delivery.fail("table_1.bin", { kind: "endless", encoding: "gzip" });
    expect(await delivery.load()).toMatchObject({ code: "model_integrity", data: { chunk: 0 } });
    await vi.waitFor(() => {
      for (const { ended } of delivery.asked("table_1.bin")) expect(ended).toBe("early");
    }, 3000);
    expect(delivery.asked("table_1.bin").reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(MIB);
  });
});

describe("a login page in the place of every file", () => {
  test("is no package, and is not kept", async () => {
    for (const file of FILES) delivery.fail(file, { kind: "html" });
    expect(await delivery.load()).toMatchObject({
      code: "model_format",
      message: expect.stringContaining("HTML page"),
    });
    expect(await delivery.stored()).toMatchObject({ versions: [], chunks: [] });
    delivery.heal();
    expect(await delivery.load()).toMatchObject({ code: "", source: "network", answer });
  });

  test.each(["model.json", "table_1.bin"])("is not taken for %s, nor kept as it", async (file) => {
    delivery.fail(file, { kind: "html" });
    expect(await delivery.load()).toMatchObject({
      code: "model_integrity",
      message: expect.stringContaining("HTML page"),
    });
    expect((await delivery.stored()).versions).toEqual([]);
    delivery.heal();
    expect(await delivery.load()).toMatchObject({ code: "", source: "network", answer });
    expect(delivery.asked(file)).toMatchObject([{ status: 200 }]);
  });

  test("is an error when a newer release is requested, and what is stored is unharmed", async () => {
    await delivery.load();
    for (const file of FILES) delivery.fail(file, { kind: "html" });
    expect(await delivery.load({ refresh: true })).toMatchObject({ code: "model_format" });
    expect(await delivery.load()).toMatchObject({ code: "", source: "cache", answer });
  });
});

describe("a redirect", () => {
  test.each(["insitu.json", "table_1.bin"])("of %s to the same bytes is followed", async (file) => {
    cpSync(delivery.folder, join(delivery.root, "elsewhere"), { recursive: true });
    delivery.fail(file, { kind: "redirect", to: `/packages/elsewhere/${file}` });
    expect(await delivery.load()).toMatchObject({ code: "", source: "network", storeError: undefined, answer });
    expect(await delivery.load()).toMatchObject({ code: "", source: "cache", answer });
  });

  test("to other bytes is refused by their hash", async () => {
    delivery.fail("table_1.bin", { kind: "redirect", to: `${delivery.path}table_2.bin` });
    expect(await delivery.load()).toMatchObject({ code: "model_integrity" });
    expect((await delivery.stored()).versions).toEqual([]);
  });

  test("to a host that does not answer is a network that failed", async () => {
    delivery.fail("table_1.bin", { kind: "redirect", to: "http://localhost:9/table_1.bin" });
    expect(await delivery.load()).toMatchObject({
      code: "network",
      message: expect.stringContaining("redirect rules"),
    });
  });
});
