// Composes the demo's sample photo of several things, from free photos side by side: `npx tsx scripts/sample-photo.ts`.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../test/support/chromium.js";

const PHOTOS = fileURLToPath(new URL("../demo/public/photos", import.meta.url));
/** Two rows; each photo is scaled to the height of a row, and the last one is cut at the width of the first row. */
const ROWS = [
  ["chelsea", "astronaut"],
  ["coffee", "rocket"],
];
const ROW_HEIGHT = 300;
const QUALITY = 0.85;

const chromium = await launchChromium();
try {
  const page = await chromium.context.newPage();
  const address = async (name: string) =>
    `data:image/jpeg;base64,${(await readFile(join(PHOTOS, `${name}.jpg`))).toString("base64")}`;
  const rows = await Promise.all(ROWS.map((row) => Promise.all(row.map(address))));
  const composed = await page.evaluate(
    async ({ rows, height, quality }) => {
      // No named functions: tsx would call a helper of its own that the page does not have.
      const loaded = await Promise.all(
        rows.map((row) =>
          Promise.all(
            row.map(async (src) => {
              const image = Object.assign(new Image(), { src });
              await image.decode();
              return { image, width: Math.round((image.naturalWidth * height) / image.naturalHeight) };
            }),
          ),
        ),
      );
      const canvas = document.createElement("canvas");
      canvas.width = loaded[0]?.reduce((sum, { width }) => sum + width, 0) ?? 0;
      canvas.height = height * loaded.length;
      for (const [index, row] of loaded.entries()) {
        let x = 0;
        for (const { image, width } of row) {
          canvas.getContext("2d")?.drawImage(image, x, index * height, width, height);
          x += width;
        }
      }
      return canvas.toDataURL("image/jpeg", quality);
    },
    { rows, height: ROW_HEIGHT, quality: QUALITY },
  );
  await writeFile(join(PHOTOS, "several.jpg"), Buffer.from(composed.split(",")[1] ?? "", "base64"));
} finally {
  await chromium.close();
}
