// Completes dist/ after the bundler: copies the wasm binaries, writes the licences of bundled packages and the hashes of the scripts,
// prints the sizes.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const DIST = join(ROOT, "dist");
const resolveFrom = createRequire(import.meta.url);

/** tfjs fetches one of these, depending on the browser's features. */
const WASM = ["tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm", "tfjs-backend-wasm-threaded-simd.wasm"];

function copyWasm(): void {
  const from = join(dirname(resolveFrom.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "wasm-out");
  mkdirSync(join(DIST, "wasm"), { recursive: true });
  for (const name of WASM) copyFileSync(join(from, name), join(DIST, "wasm", name));
}

interface Package {
  dir: string;
  name: string;
  version: string;
  license: string;
}

/** The packages whose code is in dist/, from the lists that tsdown.config.ts writes. */
function bundledPackages(): Package[] {
  const lists = join(ROOT, ".cache", "bundled");
  const ids = readdirSync(lists).flatMap((file) => JSON.parse(readFileSync(join(lists, file), "utf8")) as string[]);
  const dirs = new Set<string>();
  for (const id of ids) {
    const inside = /^[^/]*(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)/.exec(id.split("?")[0] ?? "");
    if (inside?.[1]) dirs.add(inside[1]);
  }
  const packages = [...dirs].map((dir) => {
    const { name, version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Package;
    return { dir, name, version, license };
  });
  return packages.sort((a, b) => a.name.localeCompare(b.name));
}

/** tfjs's packages contain no licence file; these are the texts of the licences that their package.json files name. */
function standardText(license: string): string | undefined {
  const apache = () =>
    readFileSync(join(dirname(resolveFrom.resolve("typescript/package.json")), "LICENSE.txt"), "utf8").trim();
  // For the part of tfjs-layers that was ported from Keras; its files state "Copyright 2018 Google LLC" and "MIT-style".
  const mit = () =>
    readFileSync(join(ROOT, "LICENSE"), "utf8")
      .replace(/^Copyright.*$/m, "Copyright 2018 Google LLC")
      .trim();
  if (license === "Apache-2.0") return apache();
  if (license === "Apache-2.0 AND MIT") return `${apache()}\n\n${mit()}`;
  return undefined;
}

/** For packages whose licence is the last section of their README, such as seedrandom. */
function inReadme({ dir }: Package): string | undefined {
  const readme = readdirSync(dir).find((file) => /^readme\.md$/i.test(file));
  if (!readme) return undefined;
  return /^#* ?LICEN[CS]E.*\n(?:-+\n)?\n*(Copyright[\s\S]*Permission is hereby granted[\s\S]*)/m
    .exec(readFileSync(join(dir, readme), "utf8"))?.[1]
    ?.trim();
}

function licenceText(bundled: Package): string {
  const own = readdirSync(bundled.dir).find((file) => /^(licen[cs]e|copying)/i.test(file));
  const text = own
    ? readFileSync(join(bundled.dir, own), "utf8").trim()
    : (inReadme(bundled) ?? standardText(bundled.license));
  if (text !== undefined) return text;
  throw new Error(
    `${bundled.name} ${bundled.version} is bundled, but ${bundled.dir} has no licence text. Add the text to standardText in scripts/finish-build.ts.`,
  );
}

function writeLicences(): string[] {
  const packages = bundledPackages();
  // Each text is written once, below the names of all packages that use it.
  const byText = new Map<string, string[]>();
  for (const bundled of packages) {
    const heading = `${bundled.name} ${bundled.version} (${bundled.license})`;
    const text = licenceText(bundled);
    byText.set(text, [...(byText.get(text) ?? []), heading]);
  }
  const rule = "-".repeat(80);
  const parts = [...byText].map(([text, headings]) => `${rule}\n${headings.join("\n")}\n${rule}\n\n${text}\n`);
  const intro = "insitu contains code of these packages. The licence of each package is below its name.\n";
  writeFileSync(join(DIST, "THIRD-PARTY-LICENSES.txt"), `${intro}\n${parts.join("\n")}`);
  return packages.map(({ name }) => name);
}

/** Hashes for the `integrity` of script elements and import maps, by file name. The worker checks the wasm binaries itself. */
function writeIntegrity(): void {
  const scripts = readdirSync(DIST).filter((file) => file.endsWith(".js"));
  const hashes = scripts.sort().map((file) => {
    const hash = createHash("sha384")
      .update(readFileSync(join(DIST, file)))
      .digest("base64");
    return [file, `sha384-${hash}`];
  });
  writeFileSync(join(DIST, "integrity.json"), `${JSON.stringify(Object.fromEntries(hashes), null, 2)}\n`);
}

function printSizes(): void {
  const files = readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((file) =>
    statSync(join(DIST, file)).isFile(),
  );
  for (const file of files.sort()) {
    const bytes = readFileSync(join(DIST, file));
    const brotli = /\.(js|wasm)$/.test(file) ? `${(brotliCompressSync(bytes).length / 1000).toFixed(1)} kB brotli` : "";
    console.log(`${file.padEnd(46)} ${(bytes.length / 1000).toFixed(1).padStart(9)} kB  ${brotli.padStart(18)}`);
  }
}

if (!existsSync(join(DIST, "worker.js"))) throw new Error("dist/worker.js is missing. Run `npm run build`.");
copyWasm();
const names = writeLicences();
writeIntegrity();
console.log(`bundled: ${names.join(", ")}`);
printSizes();
