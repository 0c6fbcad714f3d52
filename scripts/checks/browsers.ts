// Checks the built files against the promised browsers (.browserslistrc): finds each newer feature and compares its support.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import browserslist from "browserslist";
import { Linter } from "eslint";
import baseline from "eslint-plugin-baseline-js";
import { features } from "web-features";
import { ROOT } from "./paths.js";
import type { Count, Print } from "./run.js";

/** Names in browserslist, and the same browsers' names in web-features. */
const BROWSERS = {
  chrome: "chrome",
  edge: "edge",
  firefox: "firefox",
  safari: "safari",
  ios_saf: "safari_ios",
} as const;

/** Features that the built files use only where they exist; each with what happens elsewhere. */
const GUARDED: Record<string, string> = {
  webgpu: "where navigator.gpu is missing, the next backend runs",
  webcodecs: "a VideoFrame is accepted where the class exists",
  "explicit-resource-management": "Symbol.asyncDispose is used where it exists",
  createimagebitmap: "only SVG elements as a source are newer (Safari 17.2)",
  "canvas-2d-willreadfrequently": "a hint, which others ignore",
  "abortsignal-timeout": "exists from Chrome 103; until 124 only the name of its error differed",
};

/** The plugin reports what became common to all browsers after this year: a superset of what Chrome 110 (early 2023) lacks. */
const KNOWN_SINCE = 2022;

const CONFIG: Linter.Config = {
  files: ["**/*.js"],
  plugins: { baseline: baseline as never },
  // Newer syntax is a parse error.
  languageOptions: { ecmaVersion: 2022, sourceType: "module" },
  linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: "off" },
  rules: {
    "baseline/use-baseline": [
      "error",
      { available: KNOWN_SINCE, includeWebApis: { preset: "heuristic" }, includeJsBuiltins: { preset: "heuristic" } },
    ],
  },
};

/** The oldest promised version of each browser. */
function promisedVersions(): Map<keyof typeof BROWSERS, number> {
  const oldest = new Map<keyof typeof BROWSERS, number>();
  for (const entry of browserslist(null, { path: ROOT })) {
    const [name, versions] = entry.split(" ") as [keyof typeof BROWSERS, string];
    // A range such as "17.0-17.1" begins with its oldest.
    const version = Number.parseFloat(versions);
    if (Number.isFinite(version)) oldest.set(name, Math.min(version, oldest.get(name) ?? version));
  }
  return oldest;
}

/** The promised browsers that lack a feature, as `chrome 110 (from 120)`. */
function browsersWithout(id: string): string[] {
  const feature = features[id];
  if (feature?.kind !== "feature") throw new Error(`web-features has no feature "${id}".`);
  const lacking: string[] = [];
  for (const [name, promised] of promisedVersions()) {
    const from = feature.status.support[BROWSERS[name]];
    if (from === undefined || Number.parseFloat(from.replace("≤", "")) > promised)
      lacking.push(`${name} ${promised} (${from === undefined ? "not supported" : `from ${from}`})`);
  }
  return lacking;
}

/** What in a built file a promised browser cannot run, one line each; `guarded` features are left out. */
export function unsupportedIn(code: string, file: string, guarded: string[] = Object.keys(GUARDED)): string[] {
  const problems: string[] = [];
  for (const { line, column, message, fatal } of new Linter({ cwd: ROOT }).verify(code, [CONFIG], { filename: file })) {
    const at = `${file}:${line}:${column}`;
    const id = /\(([a-z0-9-]+)\) (?:became|has)/.exec(message)?.[1];
    if (fatal || !id) problems.push(`${at}: ${message}`);
    else if (!guarded.includes(id)) {
      const lacking = browsersWithout(id);
      if (lacking.length > 0) problems.push(`${at}: ${message} Missing in ${lacking.join(", ")}.`);
    }
  }
  return problems;
}

/** All files that a browser loads. */
export async function browserSupport(print: Print): Promise<Count> {
  const files = readdirSync(join(ROOT, "dist")).filter((file) => file.endsWith(".js"));
  let failed = 0;
  for (const file of files) {
    const problems = unsupportedIn(readFileSync(join(ROOT, "dist", file), "utf8"), `dist/${file}`);
    for (const problem of problems) print(`${problem}\n`);
    if (problems.length > 0) failed++;
  }
  return { passed: files.length - failed, failed };
}
