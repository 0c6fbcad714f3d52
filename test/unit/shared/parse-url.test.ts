// Addresses that may be invalid, also where URL is a polyfill without `canParse`.
import { afterEach, expect, it, vi } from "vitest";
import { parseUrl } from "../../../src/shared/parse-url.js";

const BASE = "https://host.example/app/";
const Native = URL;
afterEach(() => vi.unstubAllGlobals());

/** As core-js replaces it: another class, without static methods. */
class Polyfill {
  readonly href: string;
  constructor(text: string, base?: string) {
    this.href = new Native(text, base).href;
  }
}

it.each(["the browser's URL", "a polyfill"])("with %s", (which) => {
  if (which === "a polyfill") vi.stubGlobal("URL", Polyfill);
  expect(parseUrl("models/x", BASE)?.href).toBe("https://host.example/app/models/x");
  expect(parseUrl("http://other.example/")?.href).toBe("http://other.example/");
  expect(parseUrl("models/x")).toBeUndefined();
  expect(parseUrl("https://", BASE)).toBeUndefined();
});
