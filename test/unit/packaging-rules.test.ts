// The import rules bite: each forbidden import, written into a small tree, is reported under the rule's name.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** One breach each; the comment-free file is all that the rule needs to see. */
const TREE: Record<string, string> = {
  "src/types.ts": "export interface T { a: number }\n",
  "src/errors.ts": 'import type { T } from "./client.js";\nexport type E = T;\n',
  "src/index.ts": 'export * from "./client.js";\nexport * from "./telemetry/send.js";\n',
  "src/client.ts": 'import type { G } from "./model/load.js";\nexport type T = G;\nexport const c = 1;\n',
  "src/telemetry/send.ts": 'import { c } from "../client.js";\nexport const s = c;\n',
  "src/model/load.ts": 'import * as tf from "@tensorflow/tfjs-core";\nexport type G = number;\nexport const t = tf;\n',
  "src/model/download.ts":
    'import { openDB } from "idb";\nimport { s } from "../telemetry/send.js";\nexport const d = [openDB, s];\n',
  "src/model/file.ts": 'import { readFileSync } from "node:fs";\nexport const f = readFileSync;\n',
  "src/a.ts": 'import { b } from "./b.js";\nexport const a = (): unknown => b;\n',
  "src/b.ts": 'import { a } from "./a.js";\nexport const b = (): unknown => a;\n',
  "src/lonely.ts": "export const lonely = 1;\n",
  "src/host.ts":
    'import { w } from "./worker.js";\nimport { help } from "../test/help.js";\nexport const h = [w, help];\n',
  "src/worker.ts": 'import { gone } from "./gone.js";\nexport const w = gone;\n',
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
  "ground-imports-ground-only: src/errors.ts",
  "page-does-not-import-worker-side: src/client.ts",
  "rooms-do-not-look-up: src/telemetry/send.ts",
  "worker-does-not-import-page-side: src/model/download.ts",
  "tfjs-only-in-runtime-tfjs: src/model/load.ts",
  "idb-only-in-the-store: src/model/download.ts",
  "page-half-is-light: src/index.ts",
  "browser-code-is-not-node-code: src/model/file.ts",
  "threads-do-not-look-up: src/host.ts",
  "src-never-imports-dev-folders: src/host.ts",
  "no-orphans: src/lonely.ts",
  "no-unresolved: src/worker.ts",
])("%s is reported", (violation) => {
  expect([...broken]).toContain(violation);
});

test("a cycle is reported", () => {
  expect([...broken].filter((violation) => violation.startsWith("no-cycles"))).not.toEqual([]);
});
