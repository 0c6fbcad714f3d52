// The check of the built files against the promised browsers finds what Chrome 110, Firefox 115 or Safari 17 lack.
import { expect, test } from "vitest";
import { unsupportedIn } from "../../../scripts/checks/browsers.js";

test("URL.canParse is reported: Chrome has it from 120", () => {
  const [problem, ...others] = unsupportedIn("const ok = URL.canParse('https://example.com');", "dist/index.js");
  expect(problem).toContain("dist/index.js:1:");
  expect(problem).toContain("chrome 110 (from 120)");
  expect(problem).not.toContain("firefox");
  expect(others).toEqual([]);
});

test("newer built-ins and newer syntax are reported", () => {
  expect(unsupportedIn("Promise.withResolvers();", "a.js")[0]).toContain("chrome 110 (from 119)");
  expect(unsupportedIn("AbortSignal.any([]);", "a.js")[0]).toContain("firefox 115 (from 124)");
  expect(unsupportedIn("export const all = /[a--b]/v;", "a.js")[0]).toContain("Parsing error");
});

test("what every promised browser has is not reported", () => {
  const code =
    "class A { #b = 1; static { structuredClone(1); } } [1].at(0); new URL('a', import.meta.url); export { A };";
  expect(unsupportedIn(code, "a.js")).toEqual([]);
});

test("a feature that is used only where it exists is left out, and is reported without that exception", () => {
  expect(unsupportedIn("navigator.gpu?.requestAdapter();", "a.js")).toEqual([]);
  expect(unsupportedIn("navigator.gpu?.requestAdapter();", "a.js", [])[0]).toContain("firefox 115 (not supported)");
});
