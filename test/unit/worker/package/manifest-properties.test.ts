// Hostile manifests, paths and nesting, thousands a run: each is read or refused with a typed error, and changes nothing else.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../../../src/shared/types/manifest.js";
import { canonicalBytes, canonicalJson } from "../../../../src/worker/package/canonical-json.js";
import { parseManifest, resolveFile } from "../../../../src/worker/package/manifest.js";
import { parseModelJson } from "../../../../src/worker/package/topology.js";
import { attempt, BOUNDED, guardPrototypes } from "../../../support/attempt.js";
import { HASH, valid, WHERE } from "../../../support/manifests.js";
import { changes, damage, hostile, mutate, textOf } from "../../../support/mutations.js";

guardPrototypes();
const FOLDER = new URL(".", WHERE).href;

/** Every promise that the types make of a manifest which was accepted. */
function checkManifest(manifest: Manifest): void {
  expect(Object.getPrototypeOf(manifest)).toBe(Object.prototype);
  expect(Number.isSafeInteger(manifest.release)).toBe(true);
  for (const { path, size, sha256, chunks } of manifest.files) {
    expect(resolveFile(WHERE, path).startsWith(FOLDER)).toBe(true);
    expect(size).toBeGreaterThanOrEqual(0);
    if (chunks) expect(chunks.reduce((sum, chunk) => sum + chunk.size, 0)).toBe(size);
    for (const hash of chunks?.map((chunk) => chunk.sha256) ?? [sha256]) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  }
  for (const { name, shape } of [...manifest.inputs, ...manifest.outputs]) {
    expect(name).not.toBe("__proto__");
    expect(shape.every((dim) => Number.isSafeInteger(dim) && dim >= -1)).toBe(true);
  }
  // What was accepted may be written, and is accepted again.
  const written = JSON.stringify(manifest);
  expect(JSON.stringify(parseManifest(written, WHERE))).toBe(written);
}

const MANIFESTS = [
  valid({
    expires: "2027-01-31",
    metrics: { accuracy: 1 },
    signatures: [{ keyId: "k", algorithm: "x", signature: "AA" }],
  }),
  valid({ task: { kind: "classification", labels: ["a", "b"], top: 1, activation: "softmax", output: "detections" } }),
  valid({
    format: "tfjs-layers-model",
    task: { kind: "raw" },
    inputs: [{ name: "x", dtype: "int32", shape: [-1, 4] }],
  }),
];

describe("a manifest", () => {
  const read = (text: string) => {
    const manifest = attempt(() => parseManifest(text, WHERE));
    if (!manifest) return;
    checkManifest(manifest);
    // A field that is not known may nest too deep to be hashed.
    attempt(() => canonicalBytes(text), ["model_format"]);
  };

  it("may be any JSON", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(hostile, (value) => read(textOf(value))),
      { numRuns: 1500 },
    );
  });

  it("may be a good one with changes anywhere", { timeout: BOUNDED }, () => {
    const all = fc.tuple(fc.constantFrom(...MANIFESTS), changes);
    fc.assert(
      fc.property(all, ([manifest, list]) => read(mutate(manifest, list))),
      { numRuns: 3000 },
    );
  });

  it("may be damaged text", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(damage, (harm) => read(harm(JSON.stringify(MANIFESTS[0])))),
      { numRuns: 1000 },
    );
  });

  it.each(["__proto__", "constructor", "prototype"])("may hold %s everywhere, which sets nothing", (key) => {
    const evil = `"${key}":{"polluted":true,"license":"evil","prototype":{"polluted":true},"size":1,"path":"x"}`;
    const text = JSON.stringify(MANIFESTS[0]).replaceAll("{", `{${evil},`);
    // Also inside of itself, for what the key itself brings along; metrics are the one map of any name.
    expect(attempt(() => parseManifest(text, WHERE))?.license).toBeUndefined();
  });

  it.each([
    ["files", (count: number) => ({ path: `f${count}`, size: 0, sha256: HASH })],
    ["outputs", (count: number) => ({ name: `o${count}`, dtype: "bool", shape: [] })],
    ["inputs", (count: number) => ({ name: `i${count}`, dtype: "bool", shape: [] })],
  ] as const)("may have as many %s as 1 MiB holds", { timeout: BOUNDED }, (field, item) => {
    const fitting = Math.floor(2 ** 20 / (JSON.stringify(item(10_000)).length + 1)) - 10;
    const list = Array.from({ length: fitting }, (_, index) => item(index));
    expect(parseManifest(JSON.stringify(valid({ task: { kind: "raw" }, [field]: list })), WHERE)[field]).toHaveLength(
      fitting,
    );
  });
});

describe("a path", () => {
  const parts = fc.constantFrom(
    ...[
      "..",
      ".",
      "/",
      "//",
      "\\",
      "%2e%2e",
      "%2E%2e",
      "%2f",
      "%5c",
      "%00",
      "%252e",
      "%",
      ":",
      "@",
      "?",
      "#",
      "&",
      ";",
    ],
    ...[
      "data:",
      "blob:",
      "javascript:",
      "https:",
      "file:",
      "evil.example",
      "user:pass@",
      "a",
      "model.json",
      "insitu.json",
    ],
    ...[
      "．．",
      "／",
      "＼",
      "\u2024\u2024",
      "\u202e",
      "\ufeff",
      "\u200b",
      "\u0000",
      "\t",
      "\n",
      "\r",
      " ",
      "\u00a0",
      "\u0085",
    ],
    ...[
      "é",
      "e\u0301",
      "\ud83d\ude00",
      "\ud800",
      "\udc00",
      "[",
      "]",
      "|",
      "^",
      "`",
      "<",
      '"',
      "~",
      "*",
      "con",
      "x".repeat(200),
    ],
  );
  const paths = fc.oneof(
    fc.array(parts, { maxLength: 8 }).map((list) => list.join("")),
    fc.string({ unit: "binary" }),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
  );
  const bases = fc.constantFrom(
    FOLDER,
    WHERE,
    `${FOLDER}?a=/../b#/c`,
    "http://127.0.0.1:8080/",
    "https://h.example/a%20b/%C3%A9/",
  );

  it("leads to a file below the package's folder, or nowhere", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(bases, paths, (base, path) => {
        const folder = new URL(".", base);
        const href = attempt(() => resolveFile(base, path), ["model_format"]);
        if (href === undefined) return;
        const url = new URL(href);
        expect(url.href).toBe(href);
        expect(url.origin).toBe(folder.origin);
        expect(url.pathname.startsWith(folder.pathname)).toBe(true);
        expect(url.pathname.length).toBeGreaterThan(folder.pathname.length);
        expect([url.search, url.hash, url.username, url.password]).toEqual(["", "", "", ""]);
        // As the most careless server decodes it, too.
        expect(decodeURIComponent(url.pathname.slice(folder.pathname.length)).split(/[/\\]/)).not.toContain("..");
      }),
      { numRuns: 3000 },
    );
  });
});

describe("canonical JSON", () => {
  it("of any JSON is JSON of the same value, or is refused", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const plain = JSON.parse(textOf(value)) as unknown;
        const text = attempt(() => canonicalJson(plain), ["model_format"]);
        if (text !== undefined) expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("nesting", () => {
  const deep = (levels: number, open: string, close: string) => `${open.repeat(levels)}1${close.repeat(levels)}`;
  const documents = [10_000, 100_000].flatMap((levels) => [
    deep(levels, "[", "]"),
    deep(levels, '{"a":', "}"),
    deep(levels, '[{"layers":', "}]"),
  ]);

  it.each(documents.map((text) => [text.slice(0, 12), text.length, text]))(
    "of %s… (%i characters) is refused wherever it stands, and overflows no stack",
    { timeout: BOUNDED },
    (_start, _length, text) => {
      const manifest = JSON.stringify(MANIFESTS[0]);
      for (const field of Object.keys(MANIFESTS[0] as object)) {
        const nested = JSON.stringify({ ...(MANIFESTS[0] as object), [field]: "@" }).replace('"@"', text);
        attempt(() => parseManifest(nested, WHERE));
      }
      attempt(() => parseManifest(text, WHERE));
      for (const field of ["modelTopology", "weightsManifest", "format"]) {
        const nested = JSON.stringify({ modelTopology: { node: [] }, weightsManifest: [], [field]: "@" });
        attempt(() => parseModelJson(nested.replace('"@"', text), parseManifest(manifest, WHERE), WHERE));
      }
      const unknown = `${manifest.slice(0, -1)},"later":${text}}`;
      expect(attempt(() => parseManifest(unknown, WHERE))?.name ?? "").toMatch(/^(objects)?$/);
      expect(attempt(() => canonicalBytes(unknown), ["model_format"])).toBeUndefined();
    },
  );
});
