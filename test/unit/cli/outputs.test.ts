// Folders that the command writes to: other people's files stay, and what cannot be written is said at once.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyRuntime } from "../../../src/cli/copy-runtime.js";
import { packModel } from "../../../src/cli/pack.js";

const MODEL = fileURLToPath(new URL("../../fixtures/cases/dotslash/model.json", import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "insitu-outputs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pack = (out: string) => packModel({ model: MODEL, out, selfTest: false });

test("copy leaves a worker.js that is not insitu's, and replaces its own", async () => {
  const out = join(folder, "copied");
  await copyRuntime(out);
  await copyRuntime(out);
  writeFileSync(join(out, "worker.js"), "mine");
  await expect(copyRuntime(out)).rejects.toMatchObject({ code: "input_invalid" });
  expect(readFileSync(join(out, "worker.js"), "utf8")).toBe("mine");
  await copyRuntime(out, true);
  expect(readFileSync(join(out, "worker.js"), "utf8")).toContain("InsituError");
});

test("pack leaves a model.json that is not its own, and goes on where it was broken off", async () => {
  const out = mkdtempSync(join(folder, "packed-"));
  writeFileSync(join(out, "model.json"), "mine");
  await expect(pack(out)).rejects.toMatchObject({ code: "input_invalid" });
  expect(readFileSync(join(out, "model.json"), "utf8")).toBe("mine");
  const broken = mkdtempSync(join(folder, "broken-"));
  await pack(broken);
  rmSync(join(broken, "insitu.json"));
  await pack(broken);
  expect(readFileSync(join(broken, "insitu.json"), "utf8")).toContain("model.json");
});

test.runIf(process.platform === "linux")("a place where nothing can be written is refused at once", async () => {
  await expect(pack("/proc/none/x")).rejects.toMatchObject({ code: "input_invalid" });
  await expect(pack("/")).rejects.toMatchObject({ code: "input_invalid" });
  await expect(copyRuntime("/proc/none")).rejects.toMatchObject({ code: "input_invalid" });
  await expect(copyRuntime(join(MODEL, "below"))).rejects.toMatchObject({ code: "input_invalid" });
});

test("a model that is not a regular file is refused at once", async () => {
  await expect(packModel({ model: "/dev/zero", out: folder })).rejects.toMatchObject({ code: "input_invalid" });
});
