// Serves the thousand test digits as one file: for each digit a byte for the label and 784 for the pixels.
import type { Plugin } from "vite";
import { heldOut } from "../../models/digits/data.js";

const FILE = "digits/held-out.bin";

function bytes(): Buffer {
  return Buffer.concat(
    heldOut().map(({ pixels, label }) => Buffer.from([label, ...pixels.map((pixel) => Math.round(pixel * 255))])),
  );
}

export function heldOutDigits(): Plugin {
  return {
    name: "insitu-demo:held-out",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: FILE, source: bytes() });
    },
    configureServer: ({ middlewares }) =>
      void middlewares.use(`/${FILE}`, (_req, res) => {
        res.setHeader("Content-Type", "application/octet-stream");
        res.end(bytes());
      }),
  };
}
