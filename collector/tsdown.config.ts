// How `dist/` is built: the command and the library function, with the dependencies left to npm.
import { defineConfig } from "tsdown";

export default defineConfig({
  entry: { main: "src/main.ts", index: "src/index.ts" },
  format: "esm",
  platform: "node",
  target: "node20",
  fixedExtension: false,
  dts: true,
});
