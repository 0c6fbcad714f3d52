// The table of consumers: how each builds or serves an app that uses the packed library.
import { createHash } from "node:crypto";
import { cpSync, existsSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, inject } from "vitest";
import { type ServerOptions, startServer } from "../support/server.js";
import { type App, createApp, installApp, startOwnServer } from "./support/app.js";

export interface Site {
  url: string;
  /** Takes the model's files away from their host. */
  removeModels(): void;
  close(): Promise<void>;
  /** Flags for a browser of its own; without it the consumers share one. */
  browser?: { args: string[] };
}

export interface Consumer {
  /** In the table of docs/consumers.md. */
  name: string;
  /** How it is set up, in the same table. */
  how: string;
  /** Part of `npm test`; the others run with `npm run test:consumers`. */
  core?: boolean;
  open(): Promise<Site>;
}

/** Builds the app with its own script and serves the folder that it wrote. */
async function built(name: string, script = "build", options: ServerOptions = {}, out = "dist"): Promise<Site> {
  const app = await installApp(name);
  await app.run("npm", "run", script);
  const pages = join(app.folder, "static");
  if (existsSync(pages) && out === "dist") cpSync(pages, join(app.folder, out), { recursive: true });
  return serve(app, out, options);
}

async function serve(app: App, folder: string, options: ServerOptions): Promise<Site> {
  app.putModels(folder);
  const server = await startServer({ ...options, mounts: { "/": join(app.folder, folder), ...options.mounts } });
  return { url: server.url, removeModels: () => app.removeModels(folder), close: server.close };
}

/** Serves the app with a server of its own. */
async function served(name: string, script: string, args: string[], publicFolder = "public"): Promise<Site> {
  const app = await installApp(name);
  app.putModels(publicFolder);
  const { url, stop } = await startOwnServer(app, script, ...args);
  return { url, removeModels: () => app.removeModels(publicFolder), close: stop };
}

/** The page of an app without a bundler, whose import map names the library at `base`. */
function plainPage(base: string, before = ""): { html: string; hash: string } {
  const map = JSON.stringify({ imports: { insitu: `${base}index.js` } });
  const hash = createHash("sha256").update(map).digest("base64");
  const head = `<link rel="icon" href="data:," />${before}<script type="importmap">${map}</script>`;
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8" /><title>insitu</title>${head}</head><body><script type="module" src="/read-digit.js"></script></body></html>`;
  return { html, hash: `'sha256-${hash}'` };
}

/** The library's files from its tarball, and the app's one script, without any bundler. */
async function unpacked(before?: string): Promise<{ app: App; hash: string }> {
  const app = createApp("shared");
  await app.run("tar", "-xzf", inject("library"));
  const { html, hash } = plainPage("/insitu/", before);
  renameSync(join(app.folder, "package/dist"), join(app.folder, "insitu"));
  writeFileSync(join(app.folder, "index.html"), html);
  return { app, hash };
}

async function plain(options: ServerOptions = {}, before?: string): Promise<Site> {
  const { app } = await unpacked(before);
  return serve(app, ".", options);
}

/** @param policies Names of other policies than insitu's. */
const strictRest = (policies = "") =>
  `default-src 'none'; img-src data:; worker-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types insitu${policies}; base-uri 'none'; form-action 'none'`;

const strict = (scripts: string, policies?: string): ServerOptions => ({
  headers: { "Content-Security-Policy": `script-src 'self' 'wasm-unsafe-eval'${scripts}; ${strictRest(policies)}` },
});

async function otherOrigin(): Promise<Site> {
  const { app } = await unpacked();
  const library = await startServer({
    mounts: { "/": join(app.folder, "insitu") },
    headers: { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" },
  });
  writeFileSync(join(app.folder, "index.html"), plainPage(library.url).html);
  const site = await serve(app, ".", {});
  return { ...site, close: async () => void (await Promise.all([site.close(), library.close()])) };
}

/** A name that is no secure context, as an address on a local network is: its origin is http and not loopback. */
async function lan(): Promise<Site> {
  const site = await built("vite");
  const url = site.url.replace("127.0.0.1", "printer.lan");
  return { ...site, url, browser: { args: ["--host-resolver-rules=MAP printer.lan 127.0.0.1"] } };
}

async function extension(): Promise<Site> {
  const app = await installApp("extension");
  await app.run("npm", "run", "build");
  app.putModels("dist");
  const folder = realpathSync(join(app.folder, "dist"));
  // Chromium makes the id of an unpacked extension from its path.
  const hash = createHash("sha256").update(folder).digest("hex").slice(0, 32);
  const id = [...hash].map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 16))).join("");
  return {
    url: `chrome-extension://${id}/index.html`,
    removeModels: () => app.removeModels("dist"),
    close: async () => undefined,
    browser: { args: [`--disable-extensions-except=${folder}`, `--load-extension=${folder}`] },
  };
}

/** Next.js copies nothing: the public folder is served as it is. */
async function next(script: string): Promise<Site> {
  const app = await installApp("next");
  app.putModels("public");
  await app.run("npm", "run", script);
  const site = await served("next", "next/dist/bin/next", ["start"]);
  const textOf = async (path: string) => (await (await fetch(site.url + path)).text()).replaceAll("<!-- -->", "");
  // What Next.js rendered before any browser was there.
  expect(await textOf("server")).toMatch(/\d+ error codes/);
  expect(await textOf("hook")).toContain('<p id="status">loading');
  return site;
}

function tfjs(): ServerOptions {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs/package.json")), "dist");
  return { mounts: { "/tf/": folder } };
}

const VITE = "vite/bin/vite.js";
const DEV = ["--host", "127.0.0.1"];

export const CONSUMERS: Consumer[] = [
  { name: "Vite 8", how: "`vite build`", core: true, open: () => built("vite") },
  { name: "Vite 8", how: "`vite` (dev)", core: true, open: () => served("vite", VITE, DEV) },
  { name: "Vite 7", how: "`vite build`", open: () => built("vite7") },
  { name: "Vite 7", how: "`vite` (dev), `optimizeDeps.exclude`", open: () => served("vite7", VITE, DEV) },
  { name: "webpack 5", how: "`webpack`, no configuration", core: true, open: () => built("webpack") },
  { name: "Rollup 4", how: "`rollup --plugin node-resolve`, then `insitu copy dist`", open: () => built("rollup") },
  {
    name: "esbuild",
    how: "`esbuild --bundle --format=esm`, then `insitu copy dist`",
    core: true,
    open: () => built("esbuild"),
  },
  { name: "Parcel 2", how: "`parcel build`", open: () => built("parcel") },
  { name: "Next.js 16", how: "`next build` (Turbopack), `next start`", open: () => next("build") },
  { name: "Next.js 16", how: "`next build --webpack`, `next start`", open: () => next("build:webpack") },
  { name: "SvelteKit 2", how: "`vite build`, adapter-static", open: () => built("sveltekit", "build", {}, "build") },
  { name: "No bundler", how: "import map, copied `dist`", core: true, open: () => plain() },
  { name: "A CDN", how: "import map to another origin", open: otherOrigin },
  { name: "Strict CSP, Trusted Types", how: "Vite build", core: true, open: () => built("vite", "build", strict("")) },
  {
    name: "Strict CSP, Trusted Types",
    how: 'webpack with `output.trustedTypes: "webpack"`',
    open: () => built("webpack", "build:trusted", strict("", " webpack")),
  },
  {
    name: "Strict CSP, Trusted Types",
    how: "no bundler",
    core: true,
    open: async () => {
      const { app, hash } = await unpacked();
      return serve(app, ".", strict(` ${hash}`));
    },
  },
  {
    name: "COOP and COEP",
    how: "Vite build, cross-origin isolated",
    open: () => built("vite", "build", { isolated: true }),
  },
  { name: "Browser extension", how: "a page of the extension, Vite build", open: extension },
  { name: "http on a local network", how: "Vite build, not a secure context", open: lan },
  {
    name: "TensorFlow.js beside it",
    how: "`tf.min.js` first, no bundler",
    open: () => plain(tfjs(), '<script src="/tf/tf.min.js"></script>'),
  },
];
