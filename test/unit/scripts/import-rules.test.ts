// The import rules bite: each forbidden import, written into a small tree, is reported under the rule's name.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** One breach each; the comment-free file is all that the rule needs to see. */
const TREE: Record<string, string> = {
  "src/shared/errors.ts": 'import type { T } from "../page/client.js";\nexport type E = T;\n',
  "src/index.ts": 'export * from "./page/client.js";\n',
  "src/page/client.ts":
    'import type { G } from "../worker/package/load.js";\nimport { s } from "./lazy/telemetry/send.js";\nimport { h } from "../worker.js";\nexport type T = G;\nexport const c = [s, h];\n',
  "src/page/lazy/telemetry/send.ts": 'import { sign } from "@noble/ed25519";\nexport const s = sign;\n',
  "src/worker/lib/lock.ts": 'import { f } from "../package/file.js";\nexport const l = f;\n',
  "src/worker/package/load.ts":
    'import * as tf from "@tensorflow/tfjs-core";\nimport { r } from "../runtime/run.js";\nexport type G = number;\nexport const t = [tf, r];\n',
  "src/worker/package/file.ts": 'import { readFileSync } from "node:fs";\nexport const f = readFileSync;\n',
  "src/worker/runtime/run.ts": 'import { p } from "../personal/head.js";\nexport const r = p;\n',
  "src/worker/runtime/pixels.ts": 'import { c } from "../../page/client.js";\nexport const x = c;\n',
  "src/worker/personal/head.ts": 'import { h } from "../host.js";\nexport const p = h;\n',
  "src/worker/host.ts": 'import { help } from "../../test/help.js";\nexport const h = help;\n',
  "src/worker.ts":
    'import { gone } from "./gone.js";\nimport { m } from "./cli/main.js";\nexport const h = [gone, m];\n',
  "src/cli/main.ts": 'import { c } from "../page/client.js";\nexport const m = c;\n',
  "src/shared/a.ts": 'import { b } from "./b.js";\nexport const a = (): unknown => b;\n',
  "src/shared/b.ts": 'import { a } from "./a.js";\nexport const b = (): unknown => a;\n',
  "src/shared/lonely.ts": "export const lonely = 1;\n",
  "test/help.ts": "export const help = 1;\n",
};

let folder: string;
let broken: Set<string>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "insitu-rules-"));
  for (const [path, text] of Object.entries(TREE)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(folder, "tsconfig.json"),
    '{ "compilerOptions": { "moduleResolution": "bundler", "module": "ESNext" } }',
  );
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
  const program = join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const config = join(ROOT, ".dependency-cruiser.cjs");
  const args = [program, "src", "--config", config, "--output-type", "json"];
  const output = execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8", maxBuffer: 64e6 });
  const { summary } = JSON.parse(output) as { summary: { violations: { rule: { name: string }; from: string }[] } };
  broken = new Set(summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  "shared-imports-shared-only: src/shared/errors.ts",
  "page-does-not-import-worker: src/page/client.ts",
  "worker-does-not-import-page: src/worker/runtime/pixels.ts",
  "page-imports-lazy-chunks-by-import-call-only: src/page/client.ts",
  "worker-lib-imports-down-only: src/worker/lib/lock.ts",
  "worker-package-imports-down-only: src/worker/package/load.ts",
  "worker-runtime-imports-down-only: src/worker/runtime/run.ts",
  "worker-personal-imports-down-only: src/worker/personal/head.ts",
  "nothing-imports-an-entry: src/page/client.ts",
  "tfjs-only-in-its-engines: src/worker/package/load.ts",
  "page-half-is-light: src/index.ts",
  "browser-code-is-not-node-code: src/worker/package/file.ts",
  "cli-imports-worker-and-shared-only: src/cli/main.ts",
  "nothing-imports-the-command-line: src/worker.ts",
  "src-never-imports-dev-folders: src/worker/host.ts",
  "no-orphans: src/shared/lonely.ts",
  "no-unresolved: src/worker.ts",
])("%s is reported", (violation) => {
  expect([...broken]).toContain(violation);
});

test("a cycle is reported", () => {
  expect([...broken].filter((violation) => violation.startsWith("no-cycles"))).not.toEqual([]);
});
