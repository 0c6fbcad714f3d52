// Checks dist/ and the tarball: sizes, imports between the files, the worker literal, the list of files.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { parseAst } from "vite";
import { browserSupport } from "./browsers.js";
import { ROOT } from "./paths.js";
import { type Check, type Count, outputOf, type Print } from "./run.js";

/** Bytes after brotli: what a first visit pays. The page half delays the page, the worker half the first prediction. */
const BUDGETS: Record<string, number> = {
  "dist/index.js": 15_000,
  // Added to index.js by apps that use React.
  "dist/react.js": 1_000,
  // Fetched only by pages that report.
  "dist/telemetry.js": 8_000,
  // Fetched only by pages that report with exponential histograms.
  "dist/exponential-histogram.js": 600,
  // Fetched only by pages that pass the meter or logger of an OpenTelemetry SDK.
  "dist/otel-bridge.js": 400,
  // Fetched only by pages that pass `beforeSend`.
  "dist/before-send.js": 400,
  // Fetched while the first model loads.
  "dist/monitor.js": 2_500,
  // Fetched while the first model loads.
  "dist/drift.js": 4_400,
  // Fetched when a ranking model is made personal.
  "dist/ranker.js": 6_600,
  // Fetched when a model is made personal.
  "dist/personal-model.js": 3_000,
  // Fetched by the first `predictAll`.
  "dist/predict-all.js": 1_200,
  // Fetched when a worker did not start.
  "dist/worker-failure.js": 2_000,
  // Fetched only by pages that report.
  "dist/telemetry-options.js": 1_500,
  // Fetched when a model is loaded from a channel.
  "dist/rollout.js": 9_200,
  // Fetched by browsers whose channel has a shadow.
  "dist/shadow.js": 2_400,
  // Fetched with the parts that keep rows; the same layer as the worker's.
  "dist/idb-table.js": 1_400,
  // Fetched with index.js: the errors, and small functions that the parts use too.
  "dist/shared.js": 2_000,
  // With the first call that needs a worker.
  "dist/worker.js": 40_000,
  // Fetched when a model is loaded that is not stored. What writes to the store lies here: who finds a package stored writes none.
  "dist/worker-first-visit.js": 26_000,
  // Fetched when a model is made personal.
  "dist/worker-personal.js": 15_500,
  // Fetched where the browser lacks Ed25519, and by pages on plain http.
  "dist/worker-crypto.js": 7_000,
  // Fetched when a model has run on its plans a few times.
  "dist/worker-kernels.js": 12_000,
  // Fetched where a model with plans runs on several threads.
  "dist/worker-threads.js": 10_000,
  // Fetched where a model has stored plans on WebGPU.
  "dist/worker-gpu.js": 10_000,
  // Fetched where a model has no plan, and by trainings.
  "dist/engine-tfjs.js": 215_000,
};

/** What the page half fetches when it is needed: files of its own that refer to COMMON only. */
const PARTS = [
  "telemetry",
  "telemetry-options",
  "exponential-histogram",
  "otel-bridge",
  "before-send",
  "drift",
  "monitor",
  "personal-model",
  "predict-all",
  "ranker",
  "rollout",
  "shadow",
  "worker-failure",
];

/** What several of the page half's files need. `shared` refers to nothing, the others to `shared` only. */
const COMMON = ["shared", "idb-table"];

/** Bundlers of consumers find the worker by this text alone; packages/vite/src/node/plugins/workerImportMetaUrl.ts. */
const WORKER_LITERAL = 'new Worker(new URL("./worker.js", import.meta.url), { type: "module" })';

/** By such texts they find the files that the worker fetches, of which each is named by itself. */
const fileLiteral = (path: string) => `new URL("./${path}", import.meta.url)`;

/** What the worker imports when it is wanted. */
const WORKER_FILES = [
  "worker-first-visit.js",
  "worker-personal.js",
  "worker-crypto.js",
  "worker-kernels.js",
  "worker-threads.js",
  "worker-gpu.js",
  "engine-tfjs.js",
];

/** The one import of the worker, of an address that it makes: with these words webpack and Vite leave it alone. */
const WORKER_IMPORT = "import(/* webpackIgnore: true */ /* @vite-ignore */ ";

/** The whole tarball. A new kind of file is added here on purpose or not at all. */
const SHIPPED = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  // The pages that the README links to.
  /^(CHANGELOG|CONTRIBUTING|SECURITY)\.md$/,
  /^docs\/.+\.md$/,
  /^docs\/recipes\//,
  /^(collector|models|models\/\w+)\/README\.md$/,
  // What `insitu init` writes.
  /^templates\/(shared|vanilla|react)\//,
  /^dist\/(index|worker|react)\.(js|d\.ts)$/,
  new RegExp(`^dist/(${[...PARTS, ...COMMON].join("|")})\\.js(\\.map)?$`),
  /^dist\/index\.js\.map$/,
  new RegExp(`^dist/(${WORKER_FILES.join("|").replaceAll(".", "\\.")})$`),
  /^dist\/cli\/main\.js$/,
  // What `pack` loads to run a model and to decode images, the store of s3: addresses, and what these share with main.
  /^dist\/cli\/(reference|photo|s3-store|shared|rolldown-runtime)\.js$/,
  /^dist\/wasm\/tfjs-backend-wasm(-simd|-threaded-simd)?\.wasm$/,
  /^dist\/THIRD-PARTY-LICENSES\.txt$/,
  /^dist\/integrity\.json$/,
];

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

function size(path: string, budget: number): Check {
  return {
    name: `size-${path.slice("dist/".length, -".js".length)}`,
    about: `${path} within ${budget / 1000} kB brotli`,
    needs: ["build"],
    run: async (print) => {
      const bytes = brotliCompressSync(readFileSync(join(ROOT, path))).length;
      print(`${path}: ${(bytes / 1000).toFixed(1)} kB brotli of ${budget / 1000}\n`);
      return bytes <= budget ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
    },
  };
}

type Node = { type: string; [key: string]: unknown };

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

/**
 * Imports and `require` calls in a bundle. Parsed, not searched: tfjs has methods named `import`, and a string that
 * contains `require(` is not a call.
 */
export function outsideReferences(source: string): string[] {
  const found: string[] = [];
  const visit = (node: Node) => {
    const callee = node.callee;
    // With its quotes off: the minifier writes them as backticks.
    if (node.type === "ImportExpression") {
      const { start, end } = node.source as Node;
      found.push(`import(${source.slice(Number(start) + 1, Number(end) - 1)})`);
    }
    if (/^(Import|ExportAll)Declaration$/.test(node.type))
      found.push(source.slice(Number(node.start), Number(node.end)));
    if (node.type === "ExportNamedDeclaration" && node.source) found.push("export … from");
    if (node.type === "CallExpression" && isNode(callee) && callee.name === "require") found.push("require()");
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child);
    }
  };
  visit(parseAst(source) as unknown as Node);
  return found;
}

function verdict(problems: string[], print: Print): Count {
  for (const problem of problems) print(`${problem}\n`);
  return problems.length === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function pageHalf(print: Print): Promise<Count> {
  const source = read("dist/index.js");
  const lazy = PARTS.map((part) => `import(./${part}.js)`);
  const isCommon = (what: string) =>
    COMMON.some((name) => new RegExp(`from[\`"']\\./${name}\\.js[\`"'];?$`).test(what));
  const problems = outsideReferences(source)
    .filter((what) => !lazy.includes(what) && !isCommon(what))
    .map((what) => `dist/index.js refers outside itself: ${what}`);
  for (const part of PARTS)
    for (const what of outsideReferences(read(`dist/${part}.js`)))
      if (!isCommon(what)) problems.push(`dist/${part}.js refers outside itself: ${what}`);
  for (const name of COMMON)
    for (const what of outsideReferences(read(`dist/${name}.js`)))
      if (name === "shared" || !isCommon(what)) problems.push(`dist/${name}.js refers outside itself: ${what}`);
  // It would be fetched with index.js, by pages that keep no rows.
  if (outsideReferences(source).some((what) => what.includes("idb-table")))
    problems.push("dist/index.js fetches idb-table.js at once");
  for (const what of outsideReferences(read("dist/react.js")))
    if (!/from[`"'](react|\.\/index\.js)[`"'];?$/.test(what))
      problems.push(`dist/react.js refers outside itself: ${what}`);
  if (!source.includes(WORKER_LITERAL)) problems.push(`dist/index.js lacks the literal ${WORKER_LITERAL}`);
  if (/tensorflow/i.test(source)) problems.push("dist/index.js mentions tensorflow: tfjs leaked into the page half");
  if (/IDBDatabase|IDBObjectStore/.test(source)) problems.push("dist/index.js opens databases itself");
  return verdict(problems, print);
}

async function workerHalf(print: Print): Promise<Count> {
  const source = read("dist/worker.js");
  const binaries = readdirSync(join(ROOT, "dist/wasm")).map((name) => `wasm/${name}`);
  const literals = [...binaries, ...WORKER_FILES].map(fileLiteral);
  const [marked, ...others] = outsideReferences(source);
  if (!marked?.startsWith("import(") || !source.includes(WORKER_IMPORT))
    others.push(marked ?? "no import of its files");
  const files = WORKER_FILES.flatMap((file) =>
    outsideReferences(read(`dist/${file}`)).map((what) => `dist/${file} refers outside itself: ${what}`),
  );
  if (/tensorflow/i.test(source)) files.push("dist/worker.js mentions tensorflow: tfjs leaked into the entry");
  return verdict(
    [
      ...files,
      ...others.map((what) => `dist/worker.js refers outside itself: ${what}`),
      ...literals
        .filter((literal) => !source.replaceAll(/[`']/g, '"').includes(literal.replace(", ", ",")))
        .map((literal) => `dist/worker.js lacks the literal ${literal}`),
    ],
    print,
  );
}

/** Relative links of a README, which npm shows without the repository, to files or folders that are not packed. */
export function missingLinks(markdown: string, files: string[]): string[] {
  const links = [...markdown.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)].map(([, link = ""]) =>
    link.replace(/^\.\/|\/$/g, ""),
  );
  return links.filter((link) => !files.some((file) => file === link || file.startsWith(`${link}/`)));
}

async function tarball(print: Print): Promise<Count> {
  const output = await outputOf("npm", "pack", "--dry-run", "--json", "--ignore-scripts");
  const [packed] = JSON.parse(output) as { size: number; files: { path: string }[] }[];
  const files = packed?.files.map(({ path }) => path) ?? [];
  print(`${files.length} files, ${((packed?.size ?? 0) / 1e6).toFixed(2)} MB packed\n`);
  const extra = files.filter((file) => !SHIPPED.some((pattern) => pattern.test(file)));
  const missing = SHIPPED.filter((pattern) => !files.some((file) => pattern.test(file)));
  return verdict(
    [
      ...extra.map((file) => `the tarball holds ${file}, which nobody listed`),
      ...missing.map((pattern) => `the tarball lacks ${pattern}`),
      ...missingLinks(read("README.md"), files).map((link) => `README.md links to ${link}, which the tarball lacks`),
    ],
    print,
  );
}

export const bundleChecks: Check[] = [
  ...Object.entries(BUDGETS).map(([path, budget]) => size(path, budget)),
  {
    name: "page-half",
    about: "dist/index.js and its parts: self-contained, light; the worker literal is kept",
    needs: ["build"],
    run: pageHalf,
  },
  {
    name: "worker-half",
    about: "dist/worker.js imports its files by their addresses, and nothing else",
    needs: ["build"],
    run: workerHalf,
  },
  {
    name: "browsers",
    about: "dist/ against the promised browsers (web-features)",
    needs: ["build"],
    run: browserSupport,
  },
  { name: "tarball", about: "npm pack holds what it should and nothing else", needs: ["build"], run: tarball },
];
