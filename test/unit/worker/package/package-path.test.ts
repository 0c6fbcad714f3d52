// The paths that a package may name, and the hash that names the package itself.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import { resolveFile } from "../../../../src/worker/package/manifest.js";
import { refusal } from "../../../support/manifests.js";

describe("resolveFile", () => {
  const BASE = "https://host.example/models/objects/";

  it.each([
    ["model.json", `${BASE}model.json`],
    ["a/b-1.bin", `${BASE}a/b-1.bin`],
    ["my model.bin", `${BASE}my%20model.bin`],
    ["...", `${BASE}...`],
    ["modèle.bin", `${BASE}mod%C3%A8le.bin`],
  ])("%s stays inside", (path, url) => {
    expect(resolveFile(BASE, path)).toBe(url);
  });

  it("takes the folder of a base that names a file or has a query", () => {
    expect(resolveFile(`${BASE}insitu.json?v=1#x`, "model.json")).toBe(`${BASE}model.json`);
  });

  it.each([
    ...["", ".", "..", "../x", "a/../../x", "a/..", "./x", "a//b", "a/", "/x", "//evil.example/x", "/\\evil.example/x"],
    ...[
      "%2e%2e/x",
      "%2E%2E%2Fx",
      ".%2e/x",
      "a%2fb",
      "a%5cb",
      "%252e%252e/x",
      "%00",
      "..\\x",
      "a\\b",
      "\\\\evil.example\\x",
    ],
    ...[
      "data:text/plain,x",
      "https://evil.example/x",
      "javascript:alert(1)",
      "blob:x",
      "file:///etc/passwd",
      "C:/x",
      "a:b",
    ],
    ...[
      "x?y=1",
      "x#y",
      "a\u0000b",
      "a\nb",
      ".\t./x",
      "a\u007f",
      " x",
      "x ",
      "a/ /b",
      "\ud800",
      "insitu.json",
      "x".repeat(513),
    ],
  ])("refuses %j", (path) => {
    expect(refusal(() => resolveFile(BASE, path))).toMatchObject({
      code: "model_format",
      data: { url: BASE, field: "path" },
    });
  });

  it("never leaves the folder, whatever the path is made of", () => {
    const part = fc.constantFrom(
      "..",
      ".",
      "/",
      "//",
      "\\",
      "%2e",
      "%2f",
      "%",
      ":",
      "@",
      "?",
      "#",
      "evil.example",
      "a",
      "．．",
      "\t",
      " ",
      "é",
      "data:",
    );
    const path = fc.oneof(
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join("")),
      fc.string({ unit: "binary" }),
      fc.webUrl(),
    );
    fc.assert(
      fc.property(path, (given) => {
        try {
          const url = resolveFile(BASE, given);
          return (
            url.startsWith(BASE) && url.length > BASE.length && new URL(url).search === "" && new URL(url).hash === ""
          );
        } catch (error) {
          return error instanceof InsituError && error.code === "model_format";
        }
      }),
      { numRuns: 3000 },
    );
  });
});
