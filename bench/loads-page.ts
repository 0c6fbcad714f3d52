// Opens the page in which loads are measured, without network inspection.

import { MOUNTS } from "../test/support/page.js";
import { startServer } from "../test/support/server.js";
import { type BarePage, launchBare } from "./bare.js";
import { PACKAGES_DIR } from "./packages.js";
import { PAGE } from "./page-build.js";

export interface LoadsBrowser {
  version: string;
  /** Opens a page with the library and the scripts of both sides. */
  open(): Promise<LoadsPage>;
  renderers(): Promise<number[]>;
  close(): Promise<void>;
}

export interface LoadsPage extends BarePage {
  /** Calls a function of bench/page/loads.ts; arguments are passed as JSON. */
  call<T>(name: string, ...args: unknown[]): Promise<T>;
}

export const baseOf = (name: string): string => `/packages/${name}/`;

export async function openLoadsBrowser(): Promise<LoadsBrowser> {
  const mounts = { ...MOUNTS, "/bench/": PAGE, "/packages/": PACKAGES_DIR };
  // Allows the HTTP cache to store the packages.
  const server = await startServer({ mounts, headers: { "Cache-Control": "max-age=3600" } });
  const browser = await launchBare();
  return {
    version: browser.version,
    renderers: browser.renderers,
    async open() {
      const page = await browser.open(server.url);
      await page.evaluate(
        `Promise.all([import("/dist/index.js"), import("/bench/loads.js")]).then(([insitu, loads]) => { window.insitu = insitu; window.loads = loads; })`,
      );
      return {
        ...page,
        call: (name, ...args) =>
          page.evaluate(`loads.${name}(${args.map((value) => JSON.stringify(value)).join(", ")})`),
      };
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
