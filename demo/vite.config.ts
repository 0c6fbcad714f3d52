// How the demo is developed, built and served; the library itself is built by tsdown.config.ts.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { VitePWA } from "vite-plugin-pwa";
import { films } from "./server/films.js";
import { heldOutDigits } from "./server/held-out.js";
import { site } from "./server/site.js";
import { wasm } from "./server/wasm.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here("../package.json"), "utf8")) as { version: string };

// insitu's worker has tfjs inside and is over a megabyte before compression; Workbox would skip it above 2 MiB.
const LARGEST_KEPT_BYTES = 4 * 1024 * 1024;

export default defineConfig({
  root: here("."),
  // The page has one address; any other is a 404, never the page again (a model file that is missing must be told so).
  appType: "mpa",
  define: { __VERSION__: JSON.stringify(version) },
  // The built library, as users get it.
  resolve: { alias: { insitu: here("../dist/index.js") } },
  server: { fs: { allow: [here("..")] } },
  build: {
    outDir: here("dist"),
    emptyOutDir: true,
    target: "es2022",
    rolldownOptions: { input: ["index", "teach", "for-you", "model"].map((page) => here(`${page}.html`)) },
  },
  plugins: [
    site({ models: here("../models") }),
    heldOutDigits(),
    films(),
    wasm({ from: here("../dist/wasm"), to: "insitu/wasm" }),
    VitePWA({
      registerType: "autoUpdate",
      injectRegister: null,
      workbox: {
        // The page, the worker, the wasm and the samples. Not the models: insitu keeps them in IndexedDB itself.
        globPatterns: ["**/*.{html,js,css,wasm,svg,jpg}", "films/*"],
        maximumFileSizeToCacheInBytes: LARGEST_KEPT_BYTES,
        navigateFallback: null,
        // The address of a model is for the page, which is the same for all.
        ignoreURLParametersMatching: [/^model$/, /^base$/],
        runtimeCaching: [
          // Where the collector is may change with each start; without a network the last answer holds.
          { urlPattern: ({ url }) => url.pathname === "/config.json", handler: "NetworkFirst" },
        ],
      },
      manifest: {
        name: "insitu demo",
        short_name: "insitu",
        description: "Machine learning inside the page.",
        theme_color: "#0f6b64",
        background_color: "#f7f8f8",
        icons: [{ src: "/icon.svg", sizes: "any", type: "image/svg+xml" }],
      },
    }),
  ],
});
