// The packed library's types in the two last versions of TypeScript, under each way to resolve modules; and what it installs.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type App, installApp, removeApps } from "./support/app.js";

let app: App;
beforeAll(async () => {
  app = await installApp("types");
}, 400_000);
afterAll(removeApps);

test("installing insitu installs nothing else", async () => {
  const installed = JSON.parse(readFileSync(join(app.folder, "node_modules/insitu/package.json"), "utf8"));
  expect(installed.dependencies).toBeUndefined();
  const peers = Object.keys(installed.peerDependencies);
  expect(peers.filter((name) => !installed.peerDependenciesMeta[name]?.optional)).toEqual([]);
  const bare = await installApp("shared");
  const packages = readdirSync(join(bare.folder, "node_modules")).filter((name) => !name.startsWith("."));
  expect(packages).toEqual(["insitu"]);
});

/** TypeScript 7 has no `node` any more. */
const RESOLUTIONS = [
  { typescript: "5.9", moduleResolution: "node", module: "ESNext" },
  { typescript: "5.9", moduleResolution: "bundler", module: "ESNext" },
  { typescript: "5.9", moduleResolution: "node16", module: "Node16" },
  { typescript: "7.0", moduleResolution: "bundler", module: "ESNext" },
  { typescript: "7.0", moduleResolution: "node16", module: "Node16" },
];

test.each(RESOLUTIONS)(
  "TypeScript $typescript, moduleResolution $moduleResolution",
  async ({ typescript, ...options }) => {
    const lib = ["ES2022", "DOM", "DOM.Iterable"];
    // Library files are checked too.
    const compilerOptions = {
      ...options,
      target: "ES2022",
      lib,
      strict: true,
      noEmit: true,
      types: [],
      skipLibCheck: false,
    };
    writeFileSync(join(app.folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    const { bin } = JSON.parse(
      readFileSync(join(app.folder, `node_modules/typescript-${typescript}/package.json`), "utf8"),
    );
    const tsc = join(app.folder, `node_modules/typescript-${typescript}`, bin.tsc);
    expect(await app.run(process.execPath, tsc, "-p", ".")).toBe("");
  },
);
