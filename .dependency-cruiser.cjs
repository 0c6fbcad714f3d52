// The import rules of docs/architecture.md. Each rule reads the side and the module of a file from its path alone.
const SHARED = "^src/shared/";
const PAGE = "^src/(page/|index\\.ts$|react\\.ts$)";
const WORKER = "^src/(worker/|worker\\.ts$)";
const CLI = "^src/cli/";
const ENTRY = "^src/[^/]+\\.ts$";
const TFJS = "(^|/)node_modules/@tensorflow/";
const NOBLE = "(^|/)node_modules/@noble/";

/** A module of the worker and the modules above it, which it must not import. */
const workerLayer = (name, from, above) => ({
  name: `worker-${name}-imports-down-only`,
  comment: "Inside the worker: lib < package < runtime < personal < host.",
  severity: "error",
  from: { path: from },
  to: { path: above },
});
const HOST = "src/worker/[^/]+\\.ts$";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment: "Split the file, or move the shared part down.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "Nothing imports this file: delete it, or add it here if it is an entry.",
      severity: "error",
      from: { orphan: true, path: "^(src|collector/src)/", pathNot: "\\.d\\.ts$" },
      to: {},
    },
    {
      name: "no-unresolved",
      comment: "The import names a file that does not exist.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "src-never-imports-dev-folders",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench|demo|models|scripts|collector|dist)/" },
    },
    {
      name: "collector-stands-alone",
      comment: "The collector is a package of its own and shares no code with the library.",
      severity: "error",
      from: { path: "^collector/src/" },
      to: { path: "^(src|test|bench|demo|models|scripts|dist)/" },
    },
    {
      name: "nothing-imports-an-entry",
      severity: "error",
      from: { path: "^src/" },
      to: { path: ENTRY },
    },
    {
      name: "shared-imports-shared-only",
      severity: "error",
      from: { path: SHARED },
      to: { path: "^src/", pathNot: SHARED },
    },
    {
      name: "page-does-not-import-worker",
      comment: "Page and worker share src/shared only; the page calls the worker over the protocol.",
      severity: "error",
      from: { path: PAGE },
      to: { path: WORKER },
    },
    {
      name: "worker-does-not-import-page",
      severity: "error",
      from: { path: WORKER },
      to: { path: PAGE },
    },
    {
      name: "page-imports-lazy-chunks-by-import-call-only",
      comment: "A static import would put the chunk into index.js. Types are free.",
      severity: "error",
      from: { path: PAGE, pathNot: "^src/page/lazy/" },
      to: { path: "^src/page/lazy/", dependencyTypesNot: ["type-only", "dynamic-import"] },
    },
    workerLayer("lib", "^src/worker/lib/", ["^src/worker/(package|runtime|personal)/", HOST]),
    workerLayer("package", "^src/worker/package/", ["^src/worker/(runtime|personal)/", HOST]),
    workerLayer("runtime", "^src/worker/runtime/", ["^src/worker/personal/", HOST]),
    workerLayer("personal", "^src/worker/personal/", [HOST]),
    {
      name: "browser-code-is-not-node-code",
      severity: "error",
      from: { path: "^src/", pathNot: CLI },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "cli-imports-worker-and-shared-only",
      severity: "error",
      from: { path: CLI },
      to: { path: PAGE },
    },
    {
      name: "nothing-imports-the-command-line",
      severity: "error",
      from: { path: "^src/", pathNot: CLI },
      to: { path: CLI },
    },
    {
      name: "tfjs-only-in-its-engines",
      comment:
        "Another engine must fit in beside tfjs without a change elsewhere; `pack` runs models on it in one file.",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: "^src/worker/runtime/(tfjs|plan)/|^src/worker/personal/|^src/cli/reference\\.ts$",
      },
      to: { path: TFJS },
    },
    {
      name: "page-half-is-light",
      comment: "What index.ts imports is what a page loads before anything else: no tfjs, no cryptography.",
      severity: "error",
      from: { path: "^src/index\\.ts$" },
      to: { path: [TFJS, NOBLE], reachable: true },
    },
    {
      name: "collector-declares-what-it-imports",
      comment: "Published code must not rely on packages that only this repository has.",
      severity: "error",
      from: { path: "^collector/src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
  ],
  options: {
    // Type-only imports count too: a type that crosses the boundary is a dependency as well.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: false,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(collector/|demo/)?dist/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};
