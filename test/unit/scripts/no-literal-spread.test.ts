// The lint rule against `{ ...{ a, b } }` finds each form of it and nothing else.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const BIOME = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
const RULE = fileURLToPath(new URL("../../../scripts/lint/no-literal-spread.grit", import.meta.url));

/** The lines of `code` that the rule reports. */
function linesReported(code: string): number[] {
  const folder = mkdtempSync(join(tmpdir(), "insitu-lint-"));
  const config = { root: true, plugins: [RULE], linter: { rules: { preset: "none" } } };
  writeFileSync(join(folder, "biome.json"), JSON.stringify(config));
  writeFileSync(join(folder, "example.ts"), code);
  const args = [BIOME, "lint", "--reporter=json", "example.ts"];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  rmSync(folder, { recursive: true });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { message: string; location: Location }[] };
  return diagnostics
    .filter(({ message }) => message.startsWith("Spread of an object literal"))
    .map(({ location }) => location.start.line);
}

interface Location {
  start: { line: number };
}

test("every form of a spread literal is reported", () => {
  const code = [
    "export const a = 1;",
    "export const b = { ...{ a } };",
    "export const c = { a, ...{ a }, d: 2 };",
    "export const d = { ...({ a } as const) };",
    "export const e = { ...({ a } satisfies object) };",
    "export const f = { ...({ a }) };",
    "export const g = () => ({ h: { ...{ a } } });",
  ];
  expect(linesReported(code.join("\n"))).toEqual([2, 3, 4, 5, 6, 7]);
});

test("other spreads are not reported", () => {
  const code = [
    "export const a = { b: 1 };",
    "export const c = { ...a, d: { b: 1 } };",
    "export const e = { ...(a.b > 0 ? { f: 1 } : {}) };",
    "export const g = { ...(a.b > 0 && { f: 1 }) };",
    "export const h = [...[1, 2]];",
  ];
  expect(linesReported(code.join("\n"))).toEqual([]);
});
