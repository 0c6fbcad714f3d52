// The import rules of docs/architecture.md: imports go down, and only GROUND crosses the wall between page and worker.
const GROUND =
  "^src/(types|telemetry-types|monitor-types|ranking-types|table|errors|protocol|hash|placement|wilson|personal-types)\\.ts$";
// A new file at the top of src/ belongs to the page unless it is named here.
const PAGE =
  "^src/(?!(types|telemetry-types|monitor-types|ranking-types|table|errors|protocol|worker|host|guard|hash|placement|wilson|personal-types)\\.ts$)[^/]+\\.ts$|^src/(telemetry|monitor|teach|ranking|rollout)/";
const WORKER = "^src/(worker|host|guard)\\.ts$|^src/(model|runtime|personalize)/";
const ROOMS = "^src/(telemetry|monitor|teach|ranking|rollout|model|runtime|personalize)/";
const THREADS =
  "^src/(client|workers|replicas|closed-marker|target-hint|model-handle|monitor-handle|personal-handle|personal-privacy|telemetry-handle|store-handle|input|snapshot|options|kept-marker|limits|bell|predict-all|watch|frames|start-worker|spawn|host|guard)\\.ts$";
const FACES = "^src/(index|cdn|react|worker)\\.ts$";
const TFJS = "(^|/)node_modules/@tensorflow/";
const IDB = "(^|/)node_modules/idb/";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment: "A cycle has no bottom: split the file or move the shared part down.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "Nothing reaches this file: delete it, or it is an entry that belongs into this list.",
      severity: "error",
      from: { orphan: true, path: "^(src|collector/src)/", pathNot: "\\.d\\.ts$" },
      to: {},
    },
    {
      name: "no-unresolved",
      comment: "The import names nothing that exists.",
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
      comment: "The collector is a package of its own; it shares no code with the library.",
      severity: "error",
      from: { path: "^collector/src/" },
      to: { path: "^(src|test|bench|demo|models|scripts|dist)/" },
    },
    {
      name: "ground-imports-ground-only",
      severity: "error",
      from: { path: GROUND },
      to: { path: "^src/", pathNot: GROUND },
    },
    {
      name: "rooms-do-not-look-up",
      severity: "error",
      from: { path: ROOMS },
      to: { path: [THREADS, FACES] },
    },
    {
      name: "threads-do-not-look-up",
      severity: "error",
      from: { path: THREADS },
      to: { path: FACES },
    },
    {
      name: "page-does-not-import-worker-side",
      comment: "Only GROUND crosses the wall; the page asks the worker over the protocol.",
      severity: "error",
      from: { path: PAGE },
      to: { path: WORKER },
    },
    {
      name: "worker-does-not-import-page-side",
      severity: "error",
      from: { path: WORKER },
      to: { path: PAGE },
    },
    {
      name: "browser-code-is-not-node-code",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "nothing-imports-the-command-line",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "tfjs-only-in-runtime-tfjs",
      comment:
        "A second engine must fit in beside tfjs without touching another room; `pack` runs models on it in one file.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/runtime/tfjs[^/]*\\.ts$|^src/personalize/|^src/cli/reference\\.ts$" },
      to: { path: TFJS },
    },
    {
      name: "idb-only-in-the-store",
      comment: "The model store opens its database, what was learned another.",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: "^src/model/(store|database)\\.ts$|^src/personalize/records\\.ts$|^src/telemetry/outbox\\.ts$",
      },
      to: { path: IDB },
    },
    {
      name: "noble-only-in-trust",
      comment: "Signatures are judged in one file.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/model/trust\\.ts$" },
      to: { path: "(^|/)node_modules/@noble/" },
    },
    {
      name: "page-half-is-light",
      comment: "What index.ts reaches is what a page loads before anything else: no tfjs, no idb, no cryptography.",
      severity: "error",
      from: { path: "^src/index\\.ts$" },
      to: { path: [TFJS, IDB, "(^|/)node_modules/@noble/"], reachable: true },
    },
    {
      name: "collector-declares-what-it-imports",
      comment: "Published code must not lean on packages that only this repository has.",
      severity: "error",
      from: { path: "^collector/src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"] },
    },
  ],
  options: {
    // Type-only imports count too: a type that crosses the wall is a dependency as well.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: false,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(collector/|demo/)?dist/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};
