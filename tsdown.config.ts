// How `dist/` is bundled: the page half and the worker half, each into one self-contained file, and the command line.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { decode, encode } from "@jridgewell/sourcemap-codec";
import { minify } from "terser";
import type { Rolldown, UserConfig } from "tsdown";
import { defineConfig } from "tsdown";

/**
 * tfjs carries branches for Node that a worker never takes: `require("node-fetch")`, `require("fs")`, Node threads.
 * A consumer's bundler that sees them adds polyfills or fails, so they go before anything is bundled.
 */
function withoutNode(): Rolldown.Plugin {
  return {
    name: "insitu:tfjs-without-node",
    load: {
      // Registers tfjs's Node platform and does nothing else; in a browser it is dead code with two `require`s.
      filter: { id: /tfjs-core[\\/]dist[\\/]platforms[\\/]platform_node\.js$/ },
      handler: () => "export {};",
    },
    transform: CUT_GLUE,
  };
}

const CUT_GLUE = {
  filter: { id: /tfjs-backend-wasm[\\/]wasm-out[\\/]tfjs-backend-wasm(-threaded-simd)?\.js$/ },
  handler: cutEmscriptenGlue,
};

/** The command line gives tfjs the binary's bytes; what emscripten does in Node needs `require` and `__dirname`, which modules do not have. */
function withoutNodeGlue(): Rolldown.Plugin {
  return { name: "insitu:tfjs-without-node-glue", transform: CUT_GLUE };
}

/** Cuts the Node branches, and makes the factory self-contained. */
function cutEmscriptenGlue(code: string, id: string): string {
  const cuts: [RegExp, string][] = [
    // Once the flag is a constant, the minifier drops every branch behind it.
    [/var ENVIRONMENT_IS_NODE\s*=\s*typeof process[^;]*;/, ""],
    [/\bENVIRONMENT_IS_NODE\b/g, "false"],
    // The threaded glue starts its threads from its own source text (`factory.toString()`), where a variable of the
    // enclosing scope does not exist: left outside, a minified `_scriptDir` is a ReferenceError in each thread and
    // the load hangs. In a worker it is undefined anyway, for there is no document.
    [/var _scriptDir\s*=\s*typeof document[^;]*;/, ""],
    [/if \(typeof __filename[^;]*;/, ""],
    [/return \(\s*(function\([^)]*\) \{)/, "return ($1 var _scriptDir;"],
  ];
  for (const [pattern, replacement] of cuts) {
    if (code.search(pattern) < 0) throw new Error(`${id}: ${pattern} is gone; this tfjs needs another cut.`);
    code = code.replace(pattern, replacement);
  }
  return code;
}

/** tfjs-layers registers the gradients of a hundred kernels. Nothing here differentiates by tape: what is trained writes its gradient out. */
function withoutGradients(): Rolldown.Plugin {
  return {
    name: "insitu:tfjs-without-gradients",
    load: {
      filter: { id: /tfjs-core[\\/]dist[\\/](register_all_gradients|optimizers[\\/]register_optimizers)\.js$/ },
      handler: () => "export function registerOptimizers() {}",
    },
  };
}

/**
 * Kernels that no operation of a model, and nothing in `worker`, calls: those of gradients, of strings, which a package cannot have, and of
 * pictures that tfjs reads, draws, turns or mirrors itself.
 */
function withoutUnusedKernels(): Rolldown.Plugin {
  // The kernels of transposed convolutions are named after the gradient that they are of another one.
  const entry =
    /^\s+((?!conv[23]DBackpropInput)\w*(Grad|Backprop(Filter|Input))(V2)?|(string|staticRegex)\w+|draw|fromPixels|flipLeftRight|rotateWithOffset)Config,\n/gim;
  return {
    name: "insitu:tfjs-without-unused-kernels",
    transform: {
      filter: { id: /tfjs-backend-(cpu|wasm|webgpu)[\\/]dist[\\/]register_all_kernels\.js$/ },
      handler(code, id) {
        const cut = code.replace(entry, "");
        if (cut === code) throw new Error(`${id}: ${entry} is gone; this tfjs needs another cut.`);
        return cut;
      },
    },
  };
}

/**
 * Modules of tfjs that nothing here calls, although others import them: its own ways to load and store models (packages come
 * through `worker/package`), `fit` with its optimizers, metrics and callbacks (personal models train in `worker/personal`), the printed
 * summary of a model and the printed form of a tensor, and the hashes of strings with their 64-bit integers (a package has no strings,
 * neither as inputs nor as weights).
 */
function withoutUnusedModules(): Rolldown.Plugin {
  return {
    name: "insitu:tfjs-without-unused-modules",
    transform: {
      filter: {
        id: /tfjs-core[\\/]dist[\\/](hash_util|tensor_format|io[\\/](browser_files|http|indexed_db|local_storage|model_management|weights_loader))\.js$|tfjs-layers[\\/]dist[\\/](base_callbacks|logs|metrics|optimizers|engine[\\/]training_(dataset|utils)|utils[\\/]layer_utils)\.js$/,
      },
      handler(code) {
        const declared = code.matchAll(/^export (?:async )?(?:class|function|const|var) (\w+)/gm);
        const listed = [...code.matchAll(/^export \{([^}]*)\};/gm)].flatMap(([, names = ""]) => names.split(","));
        const names = [...[...declared].map(([, name]) => name as string), ...listed.map((name) => name.trim())];
        return names.map((name) => `export const ${name} = undefined;`).join("\n");
      },
    },
  };
}

/**
 * tfjs registers its model stores as it starts, in a `try`. Without them (`withoutUnusedModules`) that would throw at the top of the
 * worker's script, and V8 parses a whole script again to describe an error: twice 80 ms on a slow computer.
 */
function withoutStoreManagers(): Rolldown.Plugin {
  const registration = /try \{\s*ModelStoreManagerRegistry\.registerManager\([^;]*;\s*\}\s*catch \(err\) \{\s*\}/g;
  return {
    name: "insitu:tfjs-without-store-managers",
    transform: {
      filter: { id: /tfjs-core[\\/]dist[\\/]platforms[\\/]platform_browser\.js$/ },
      handler(code, id) {
        const cut = code.replace(registration, "");
        if (cut.includes("registerManager"))
          throw new Error(`${id}: ${registration} is gone; this tfjs needs another cut.`);
        return cut;
      },
    },
  };
}

/** Bytes as hexadecimal digits are smaller after brotli than as a list of numbers; of the hashes only `create64` is used. */
function compactChecksum(): Rolldown.Plugin {
  const bytes = /new Uint8Array\(\[([\d,]{1000,})\]\)/;
  const unused = /return\{h32:.*?,(?=create64:)/;
  return {
    name: "insitu:compact-checksum",
    transform: {
      filter: { id: /xxhash-wasm[\\/]esm[\\/]xxhash-wasm\.js$/ },
      handler(code, id) {
        for (const pattern of [bytes, unused])
          if (!pattern.test(code)) throw new Error(`${id}: ${pattern} is gone; this xxhash-wasm needs another cut.`);
        return code
          .replace(bytes, (_, numbers: string) => {
            const digits = Buffer.from(numbers.split(",").map(Number)).toString("hex");
            return `Uint8Array.from("${digits}".match(/../g), (digits) => parseInt(digits, 16))`;
          })
          .replace(unused, "return{");
      },
    },
  };
}

/** Node has had `fetch` since 18; tfjs's own way to it would bring node-fetch and what that needs. */
function withoutNodeFetch(): Rolldown.Plugin {
  return {
    name: "insitu:tfjs-without-node-fetch",
    transform: {
      filter: { id: /tfjs-core[\\/]dist[\\/]platforms[\\/]platform_node\.js$/ },
      handler(code, id) {
        if (!code.includes("require('node-fetch')")) throw new Error(`${id}: require('node-fetch') is gone.`);
        return code.replace("require('node-fetch')", "undefined");
      },
    },
  };
}

const WORKER_LITERAL = 'new Worker(new URL("./worker.js", import.meta.url), { type: "module" })';
/** The same with the spaces removed and other quotes, as the minifier writes it. */
const MINIFIED_WORKER_LITERAL =
  /new Worker\(new URL\([`'"]\.\/worker\.js[`'"],import\.meta\.url\),\{type:[`'"]module[`'"]\}\)/;

/**
 * The files that are loaded first once more through terser, whose repeated passes save 1.5 % (600 bytes of worker.js after brotli). Maps follow.
 */
function compressAgain(hasMap: boolean): Rolldown.Plugin {
  return {
    name: "insitu:terser",
    async generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk" || !chunk.fileName.endsWith(".js")) continue;
        const map = bundle[`${chunk.fileName}.map`];
        if (map?.type !== "asset" && hasMap) throw new Error(`${chunk.fileName}.map is not in the bundle.`);
        const compressed = await minify(chunk.code, {
          module: true,
          compress: { passes: 3, ecma: 2020 },
          format: { comments: false },
          ...(map?.type === "asset" && {
            sourceMap: {
              content: String(map.source),
              filename: chunk.fileName,
              includeSources: true,
              url: `${chunk.fileName}.map`,
            },
          }),
        });
        chunk.code = String(compressed.code);
        if (map?.type === "asset") map.source = String(compressed.map);
      }
    },
  };
}

/** Bundlers find the worker by this expression, and some of them by its exact text, which the minifier changes. */
function keepWorkerLiteral(): Rolldown.Plugin {
  return {
    name: "insitu:worker-literal",
    generateBundle(_options, bundle) {
      const chunk = bundle["index.js"];
      const map = bundle["index.js.map"];
      if (chunk?.type !== "chunk") return;
      const found = MINIFIED_WORKER_LITERAL.exec(chunk.code);
      if (!found) throw new Error(`dist/index.js does not contain ${WORKER_LITERAL} in its minified form.`);
      chunk.code = chunk.code.replace(found[0], WORKER_LITERAL);
      if (map?.type !== "asset") throw new Error("dist/index.js.map is not in the bundle: its columns must be moved.");
      map.source = moveColumns(String(map.source), chunk.code, found.index, WORKER_LITERAL.length - found[0].length);
    },
  };
}

/** Moves what a source map says about the rest of a line, after `by` characters were inserted in it. */
function moveColumns(map: string, code: string, index: number, by: number): string {
  const parsed = JSON.parse(map) as { mappings: string };
  const line = code.slice(0, index).split("\n").length - 1;
  const column = index - (code.lastIndexOf("\n", index) + 1);
  const lines = decode(parsed.mappings);
  for (const segment of lines[line] ?? []) if (segment[0] > column) segment[0] += by;
  return JSON.stringify({ ...parsed, mappings: encode(lines) });
}

/**
 * The React entry takes everything else of the page's half from `index.js`, in its types too: a page has one copy of the library, and
 * an `InsituError` of one entry is that of the other.
 */
function indexIsExternal(): Rolldown.Plugin {
  return {
    name: "insitu:index-is-external",
    resolveId(source, importer) {
      const inside = /src[\\/](react\.|page[\\/]react[\\/])/;
      if (!importer || !inside.test(importer) || !source.startsWith(".")) return undefined;
      return inside.test(join(dirname(importer), source)) ? undefined : { id: "./index.js", external: true };
    },
    // The types keep the addresses of their sources.
    generateBundle(_options, bundle) {
      const types = bundle["react.d.ts"];
      if (types?.type === "chunk") types.code = types.code.replace(/ from "\.[^"]+"/g, ' from "./index.js"');
    },
  };
}

/**
 * The worker imports its files by addresses that it makes itself. Without these comments webpack looks for the modules as it builds, and
 * Vite warns; the minifier drops comments.
 */
function keepImportComments(): Rolldown.Plugin {
  return {
    name: "insitu:import-comments",
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk" || !chunk.fileName.endsWith(".js")) continue;
        const parts = chunk.code.split("import(");
        if (parts.length !== 2) throw new Error(`${chunk.fileName} has ${parts.length - 1} dynamic imports, not one.`);
        chunk.code = parts.join("import(/* webpackIgnore: true */ /* @vite-ignore */ ");
      }
    },
  };
}

/** Leaves the list of bundled modules for scripts/finish-build.ts, which owes each of them its licence. */
function listModules(): Rolldown.Plugin {
  return {
    name: "insitu:list-modules",
    generateBundle(_options, bundle) {
      mkdirSync(".cache/bundled", { recursive: true });
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk" || chunk.fileName.endsWith(".d.ts")) continue;
        const used = Object.entries(chunk.modules).filter(([, module]) => module.renderedLength > 0);
        const list = JSON.stringify(used.map(([id]) => id));
        writeFileSync(`.cache/bundled/${chunk.fileName.replaceAll("/", "-")}.json`, list);
      }
    },
  };
}

const shared = {
  format: "esm",
  outDir: "dist",
  fixedExtension: false,
  hash: false,
  sourcemap: false,
  // Everything is bundled: `npm install insitu` must pull nothing else (docs/decisions/002-build.md).
  noExternal: /.*/,
  inlineOnly: false,
  plugins: [listModules()],
} satisfies UserConfig;

const described = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/** Browsers of 2022 and later: module workers, top-level await, class fields (see README, "Browsers"). */
const browserTarget = "es2022";

/**
 * The worker, or a file that it imports. Each is one file that imports nothing by name: a consumer's Vite builds workers as `iife`, and a
 * worker that splits fails there (vite#18585); and bundlers copy a file that the worker names by its address as it is.
 */
function workerFile(name: string, entry: string, more: UserConfig = {}): UserConfig {
  return {
    ...shared,
    name,
    tsconfig: "tsconfig.worker.json",
    entry: { [name]: entry },
    platform: "browser",
    target: browserTarget,
    define: {
      "process.env.NODE_ENV": JSON.stringify("production"),
      INSITU_VERSION: JSON.stringify(described.version),
    },
    // Size is what the first visit waits for, and nobody reads bundled tfjs.
    minify: true,
    outputOptions: { codeSplitting: false, legalComments: "none" },
    dts: false,
    ...more,
  };
}

export default defineConfig([
  {
    ...shared,
    name: "page",
    tsconfig: "tsconfig.page.json",
    entry: { index: "src/index.ts" },
    // 0.1 MB of the tarball. The worker's would be 3.3 MB, more than all the rest, and nearly all of it about tfjs.
    sourcemap: true,
    platform: "browser",
    target: browserTarget,
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    // A page without a bundler loads this file as it is.
    minify: true,
    plugins: [compressAgain(true), keepWorkerLiteral(), listModules()],
    // Each folder of page/lazy is a file of its own: a page fetches what it uses. What several of them and index.js need (the
    // errors above all) is `shared.js`; what only they need must not be in it, since index.js fetches that at once.
    outputOptions: {
      chunkFileNames: "[name].js",
      legalComments: "none",
      codeSplitting: {
        // In this order: a group takes what its files import too, and the errors belong into shared.js.
        groups: [
          {
            name: "shared",
            test: /src[\\/](shared|page[\\/]lib)[\\/](?!idb-table|indexed-db)/,
            minShareCount: 2,
            priority: 2,
          },
          { name: "idb-table", test: /src[\\/](page[\\/]lib[\\/]idb-table|shared[\\/]indexed-db)/, priority: 1 },
        ],
      },
    },
    dts: true,
    // `Symbol.asyncDispose` is in the types; a consumer's `lib` of ES2022 lacks it and would report our file.
    banner: { dts: '/// <reference lib="esnext.disposable" />\n' },
  },
  {
    ...shared,
    name: "react",
    tsconfig: "tsconfig.page.json",
    entry: { react: "src/react.ts" },
    platform: "browser",
    target: browserTarget,
    external: ["react"],
    noExternal: undefined,
    minify: true,
    plugins: [indexIsExternal(), listModules()],
    dts: true,
    // React's server components may import it: what it exports is for the client.
    banner: { js: '"use client";' },
  },
  workerFile("worker", "src/worker.ts", {
    dts: true,
    plugins: [compactChecksum(), compressAgain(false), keepImportComments(), listModules()],
  }),
  workerFile("worker-personal", "src/worker/worker-personal.ts"),
  workerFile("worker-first-visit", "src/worker/worker-first-visit.ts"),
  workerFile("worker-kernels", "src/worker/worker-kernels.ts"),
  workerFile("worker-crypto", "src/worker/worker-crypto.ts"),
  workerFile("worker-threads", "src/worker/worker-threads.ts", { plugins: [withoutNode(), listModules()] }),
  workerFile("worker-gpu", "src/worker/worker-gpu.ts"),
  workerFile("engine-tfjs", "src/worker/engine-tfjs.ts", {
    plugins: [
      withoutNode(),
      withoutGradients(),
      withoutUnusedKernels(),
      withoutUnusedModules(),
      withoutStoreManagers(),
      listModules(),
    ],
  }),
  {
    ...shared,
    name: "command line",
    entry: { "cli/main": "src/cli/main.ts" },
    platform: "node",
    target: "node20",
    minify: true,
    dts: false,
    // Installed by those who use s3: addresses.
    external: ["@aws-sdk/client-s3"],
    plugins: [withoutNodeFetch(), withoutNodeGlue(), listModules()],
    // tfjs's builds for Node are CommonJS, which keeps all of each package.
    inputOptions: { resolve: { mainFields: ["module", "main"] } },
    // Only `pack` and `verify --self-test` run a model: tfjs is a chunk that they load, and so are the decoders of images.
    outputOptions: {
      chunkFileNames: ({ name, isDynamicEntry }) =>
        isDynamicEntry || name === "rolldown-runtime" ? "cli/[name].js" : "cli/shared.js",
      legalComments: "none",
      codeSplitting: { groups: [{ name: "shared", test: /src[\\/]/, minShareCount: 2 }] },
    },
  },
]);
