// Builds the dashboard into static files beside the collector's code, and keeps an eye on their size.
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

// What a phone on a bad line loads in about a second.
const MOST_BROTLI_BYTES = 60_000;

function sizes(): Plugin {
  return {
    name: "dashboard-sizes",
    writeBundle(_options, bundle) {
      const packed = Object.values(bundle).map((file) =>
        brotliCompressSync(file.type === "chunk" ? file.code : file.source),
      );
      const total = packed.reduce((sum, { length }) => sum + length, 0);
      console.log(`dashboard: ${(total / 1000).toFixed(1)} kB brotli of ${MOST_BROTLI_BYTES / 1000} kB`);
      if (total > MOST_BROTLI_BYTES) throw new Error("The dashboard is larger than its budget.");
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Relative addresses: the collector may be under a path of a proxy.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: fileURLToPath(new URL("../dist/dashboard", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // A data: address would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  plugins: [sizes()],
});
