// `insitu reference` on real packages: a folder of pictures, tables, lists of inputs, and what is refused or skipped.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { afterAll, expect, test } from "vitest";
import { heldOut, SIDE } from "../../../models/digits/data.js";
import { ROOT } from "../../../scripts/checks/paths.js";
import { addProfile } from "../../../src/cli/add-profile.js";
import { createProfile } from "../../../src/cli/make-profile.js";
import { readTable } from "../../../src/cli/table-inputs.js";
import type { InputSpec, Manifest } from "../../../src/shared/types/manifest.js";
import { insitu } from "../../support/cli.js";

const folder = mkdtempSync(join(tmpdir(), "insitu-profile-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let copies = 0;
/** A copy of the package of digits. */
function digitsPackage(): string {
  const to = join(folder, `digits${++copies}`);
  cpSync(join(ROOT, "models/digits/package"), to, { recursive: true });
  return to;
}

/** Held-out digits as PNG files, one folder for each class, as trainers keep them. */
const pictures = join(folder, "pictures");
const chosen = heldOut().filter((_, index) => index % 25 === 0);
for (const [index, { pixels, label }] of chosen.entries()) {
  const png = new PNG({ width: SIDE, height: SIDE });
  for (const [at, value] of pixels.entries()) png.data.set([255 * value, 255 * value, 255 * value, 255], at * 4);
  mkdirSync(join(pictures, `${label}`), { recursive: true });
  writeFileSync(join(pictures, `${label}`, `${index}.png`), PNG.sync.write(png));
}

const manifestOf = (path: string) => JSON.parse(readFileSync(join(path, "insitu.json"), "utf8")) as Manifest;

test("the command writes a profile of a folder of pictures; verify and inspect know it, and bad files are named", () => {
  const to = digitsPackage();
  const mixed = join(folder, "mixed");
  cpSync(pictures, mixed, { recursive: true });
  writeFileSync(join(mixed, "broken.jpg"), "no picture");
  writeFileSync(join(mixed, "notes.txt"), "x");
  const key = join(folder, "key.json");
  expect(insitu("keygen", "--out", key, "--id", "k").status).toBe(0);
  const { status, stdout, stderr } = insitu("reference", to, mixed, "--sign", key, "--release", "2");
  expect([status, stderr]).toEqual([0, expect.stringContaining("skipped 2")]);
  expect(stderr).toContain("broken.jpg");
  expect(stderr).toContain("notes.txt");
  expect(stdout).toContain("image.brightness, image.contrast, image.width, image.height");
  const { reference, release, signatures } = manifestOf(to);
  expect([reference?.samples, release, signatures?.map(({ keyId }) => keyId)]).toEqual([chosen.length, 2, ["k"]]);
  const [brightness, , width] = reference?.features ?? [];
  // Digits have the same size, and ink on a tenth of the paper.
  expect(width).toMatchObject({ low: 28, high: 28, missing: 0 });
  expect(brightness?.low).toBeGreaterThan(0.02);
  expect(brightness?.high).toBeLessThan(0.35);
  expect(brightness?.edges).toEqual([...(brightness?.edges ?? [])].sort((a, b) => a - b));
  // The model is sure of most digits, and finds each of them.
  expect(reference?.confidence?.at(-1)).toBeGreaterThan(0.6);
  expect(reference?.classes?.every((share) => share > 0.04)).toBe(true);
  expect(insitu("verify", to, "--key", key).stdout).toContain(`profile  of ${chosen.length} inputs`);
  expect(insitu("inspect", to).stdout).toContain("profile");
  expect(JSON.parse(insitu("inspect", to, "--json").stdout).reference).toEqual(reference);
});

test("a manifest that changes loses its signatures, which is told; its other fields stay", async () => {
  const to = digitsPackage();
  const before = manifestOf(to);
  const signature = { keyId: "old", algorithm: "Ed25519", signature: "AAAA" };
  writeFileSync(join(to, "insitu.json"), JSON.stringify({ ...before, custom: 5, signatures: [signature] }));
  const { dropped, profile } = await addProfile(to, pictures, { limit: 25 });
  expect(dropped).toEqual(["old"]);
  expect(profile.samples).toBe(25);
  expect(manifestOf(to)).toEqual({ ...before, custom: 5, reference: profile });
});

test.each<[string, () => string, string]>([
  ["a path that is not there", () => join(folder, "none"), "does not exist"],
  [
    "another kind of file",
    () => join(ROOT, "package-lock.json").replace("package-lock.json", "README.md"),
    "neither a folder",
  ],
  ["a folder without inputs", () => join(ROOT, "bench/peers"), "at least 20 inputs"],
  ["a table for a model of pictures", () => write("t.csv", "a,b\n1,2\n"), "only a model with one input of numbers"],
  ["JSON that is none", () => write("bad.json", "[1,"), "is not JSON"],
  [
    "a list of what are no inputs",
    () => write("list.json", JSON.stringify(new Array(30).fill({ x: 1 }))),
    "0 could be used",
  ],
])("%s is refused, and the manifest stays", async (_name, source, message) => {
  const to = digitsPackage();
  const before = manifestOf(to);
  await expect(addProfile(to, source())).rejects.toMatchObject({
    code: "input_invalid",
    message: expect.stringContaining(message),
  });
  expect(manifestOf(to)).toEqual(before);
});

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const TABLE: InputSpec = { name: "x", dtype: "float32", shape: [-1, 3] };

test("a table is read by its header: chosen columns in order, quoted cells, missing values, rows that are no numbers", async () => {
  const text = '\ufeffprice,rooms,"area, m2",year\n1,2,"3.5",1990\n9,,4,2000\n9,x,4,2000\n9,5,6,\n';
  const columns = ["rooms", "area, m2", "year"];
  const { inputs, columns: named } = readTable(text, "t.csv", [{ ...TABLE, allowNonFinite: true }], columns);
  expect(named).toEqual(columns);
  const rows = await Promise.allSettled(inputs.map(({ read }) => read()));
  const numbers = rows.map((row) =>
    row.status === "fulfilled" ? [...(row.value.feeds.x?.data ?? [])] : row.reason.message,
  );
  expect(numbers).toEqual([
    [2, 3.5, 1990],
    [Number.NaN, 4, 2000],
    't.csv, line 4: the column rooms holds "x", which is not a number.',
    [5, 6, Number.NaN],
  ]);
  const strict = readTable(text, "t.csv", [TABLE], columns).inputs[1];
  await expect(strict?.read()).rejects.toThrow("the column rooms has no value, and the manifest does not allow it");
  expect(() => readTable(text, "t.csv", [TABLE])).toThrow("has 4 columns, the input x has the shape [-1, 3]");
  expect(() => readTable(text, "t.csv", [TABLE], ["rooms", "area", "year"])).toThrow('has no column "area"');
  expect(() => readTable("a,b,c\n", "t.csv", [TABLE])).toThrow("no rows");
  expect(() => readTable('a,b,c\n1,"2,3\n', "t.csv", [TABLE])).toThrow("is not CSV");
});

test("a profile has the quantiles of its values, and the share of those that are missing", () => {
  const profile = createProfile([{ ...TABLE, shape: [-1, 1] }], 2, ["a"]);
  for (let i = 1; i <= 100; i += 1)
    profile.add(
      {
        feeds: { x: { data: Float32Array.of(i % 4 === 0 ? Number.NaN : i), shape: [1, 1], dtype: "float32" } },
        sizes: {},
        path: "",
      },
      { class: i % 4 === 0 ? 1 : 0, confidence: i / 100 },
    );
  const { samples, features, confidence, classes } = profile.build();
  expect([samples, classes]).toEqual([100, [0.75, 0.25]]);
  expect(confidence).toEqual(new Array(20).fill(0.05));
  expect(features).toHaveLength(1);
  expect(features[0]).toMatchObject({ name: "x.a", low: 1, high: 99, missing: 0.25 });
  // 75 values: the 5 % quantile is the fourth of them.
  expect(features[0]?.edges[0]).toBe(5);
  // And the median the 38th.
  expect(features[0]?.edges[9]).toBe(50);
});
