// The package's description and the bundle check: what keeps a broken package from being published.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { missingLinks, outsideReferences } from "../../../scripts/checks/bundle.js";

const root = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const described = JSON.parse(readFileSync(root("package.json"), "utf8"));

describe("package.json", () => {
  test("installs nothing but itself", () => {
    expect(described.dependencies).toBeUndefined();
    expect(described.optionalDependencies).toBeUndefined();
  });

  test("is ESM and names the worker as the only file with side effects", () => {
    expect(described.type).toBe("module");
    expect(described.sideEffects).toEqual(["./dist/worker.js"]);
    expect(JSON.stringify(described.exports)).not.toMatch(/require|\.cjs/);
  });

  test("neither package runs a script when it is installed", () => {
    const collector = JSON.parse(readFileSync(root("collector/package.json"), "utf8"));
    for (const { scripts } of [described, collector])
      expect(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  });

  test("every entry has a source file", () => {
    const built: string[] = [
      described.exports["."].default,
      described.exports["./worker"].default,
      described.exports["./react"].default,
      described.bin.insitu,
    ];
    const sources = built.map((path) => path.replace("./dist/", "src/").replace(/\.js$/, ".ts"));
    expect(sources.filter((path) => !existsSync(root(path)))).toEqual([]);
  });
});

test("the packages that are published together have the version of the changelog's top section", () => {
  const [, version] = /^## (\d+\.\d+\.\d+)/m.exec(readFileSync(root("CHANGELOG.md"), "utf8")) ?? [];
  const lock = JSON.parse(readFileSync(root("package-lock.json"), "utf8"));
  const models = JSON.parse(readFileSync(root("models/package.json"), "utf8"));
  expect([described.version, models.version, lock.version, lock.packages[""].version]).toEqual(Array(4).fill(version));
});

test("missingLinks finds relative links that are not packed", () => {
  const readme =
    "[a](docs/a.md) [b](docs/b.md#part) [all](docs) [web](https://a.example/c.md) [here](#part) [m](./models/)";
  expect(missingLinks(readme, ["docs/a.md"])).toEqual(["docs/b.md", "models"]);
});

describe("outsideReferences", () => {
  test.each([
    ['import x from "y"; x();', 'import x from "y";'],
    ['export * from "y";', 'export * from "y";'],
    ['export { x } from "y";', "export … from"],
    ['const load = () => import("./chunk.js"); load();', "import(./chunk.js)"],
    ['if (typeof process === "object") { const fs = require("fs"); fs.x(); }', "require()"],
  ])("finds the reference in %s", (source, found) => {
    expect(outsideReferences(source)).toEqual([found]);
  });

  test.each([
    "class Table { async import(keys) { return keys; } } new Table().import([]);",
    'const text = "require(\\"fs\\") and import(\\"x\\")"; console.log(text);',
    "const here = new URL('./worker.js', import.meta.url); export { here };",
  ])("finds none in %s", (source) => {
    expect(outsideReferences(source)).toEqual([]);
  });
});
