// Channels that are read and refused: each field, and hostile JSON by the thousand.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { packageOfArm, parseChannel } from "../../../../src/shared/rollout/parse-channel.js";
import type { Channel } from "../../../../src/shared/types/rollout.js";
import { attempt, BOUNDED, guardPrototypes } from "../../../support/attempt.js";
import { type Json, refusal } from "../../../support/manifests.js";
import { changes, damage, hostile, mutate, textOf } from "../../../support/mutations.js";

guardPrototypes();
const URL_OF = "https://host.example/models/objects/channel.json";
const FOLDER = "https://host.example/models/objects/";

const stable = { package: "./1.0.0/", weight: 95, role: "stable" };
const canary = { package: "./1.1.0/", weight: 5, role: "canary" };
const shadow = { package: "./1.2.0/", weight: 0, role: "shadow", share: 0.2 };

const valid = (changes: Json = {}): Json => ({
  model: "objects",
  release: 12,
  arms: [stable, canary, shadow],
  salt: "a1b2",
  ...changes,
});
const arms = (...list: unknown[]) => valid({ arms: list });
const parse = (json: unknown) => parseChannel(JSON.stringify(json), URL_OF);

test("a channel with all fields is read as it was written, with the versions of its arms", () => {
  const all = valid({
    guardrails: { failures: 3, maxLatency: 80, latencyWindow: 20, crashes: 1 },
    created: "2026-01-31T12:00:00Z",
    expires: "2027-01-31",
    signatures: [{ keyId: "k", algorithm: "Ed25519", signature: "AA==" }],
  });
  const versions = ["1.0.0", "1.1.0", "1.2.0"];
  const expected = {
    ...all,
    arms: [stable, canary, shadow].map((arm, index) => ({ ...arm, version: versions[index] })),
  };
  expect(parse(all)).toEqual(expected);
  expect(parse(parse(all))).toEqual(expected);
});

test.each([
  ["./1.0.0/", "./1.0.0/", "1.0.0"],
  ["1.0.0", "./1.0.0/", "1.0.0"],
  ["1.0.0/", "./1.0.0/", "1.0.0"],
  ["./a/b/c", "./a/b/c/", "c"],
])("the package %s is the folder %s with the version %s", (path, folder, version) => {
  const [arm] = parse(arms({ ...stable, package: path })).arms;
  expect(arm).toMatchObject({ package: folder, version });
  expect(packageOfArm(URL_OF, arm as Channel["arms"][0])).toBe(FOLDER + folder.slice(2));
});

describe("refuses with model_format, and names the field:", () => {
  const packages = [
    "../1.0.0/",
    "./../x/",
    "./a/../../x/",
    "/1.0.0/",
    "//evil.example/x/",
    "https://evil.example/x/",
    "data:,x",
    "blob:x",
    "%2e%2e/x",
    "./%2E%2E/x/",
    "..%2fx",
    "a\\..\\b",
    "a?b",
    "a#b",
    "a//b",
    "./",
    ".",
    "",
    "./a/./b/",
    " a",
    "a\nb",
    "a\u0000",
    "\ud800",
    "x".repeat(600),
    "./other.json",
    "./objects@champion",
  ];
  it.each(packages)("the package %j", (path) => {
    expect(refusal(() => parse(arms({ ...stable, package: path, version: "1" })))).toMatchObject({
      code: "model_format",
      data: { url: URL_OF, field: "arms[0].package" },
    });
  });

  const cases: [what: string, json: Json, field: string][] = [
    ["no model", valid({ model: undefined }), "model"],
    ["a model that is no name", valid({ model: "a b" }), "model"],
    ["a negative release", valid({ release: -1 }), "release"],
    ["a release that is no integer", valid({ release: 1.5 }), "release"],
    ["a release as text", valid({ release: "12" }), "release"],
    ["a release beyond what numbers hold", valid({ release: 2 ** 53 }), "release"],
    ["a release after which no other could follow", valid({ release: 2 ** 53 - 1 }), "release"],
    ["a release over the maximum", valid({ release: 2 ** 40 + 1 }), "release"],
    ["no arms", valid({ arms: undefined }), "arms"],
    ["an empty list", arms(), "arms"],
    ["arms as an object", valid({ arms: { 0: stable } }), "arms"],
    ["no stable", arms(canary), "arms"],
    ["two stables", arms(stable, { ...canary, role: "stable" }), "arms"],
    ["two shadows", arms(stable, shadow, { ...canary, role: "shadow" }), "arms"],
    ["one package twice", arms(stable, { ...canary, package: "1.0.0", version: "x" }), "arms"],
    ["one version twice", arms(stable, { ...canary, version: "1.0.0" }), "arms"],
    ["a negative weight", arms({ ...stable, weight: -1 }), "arms[0].weight"],
    ["a weight of NaN", arms({ ...stable, weight: Number.NaN }), "arms[0].weight"],
    ["a weight as text", arms({ ...stable, weight: "NaN" }), "arms[0].weight"],
    ["a huge weight", arms({ ...stable, weight: 1e7 }), "arms[0].weight"],
    ["weights that sum to nothing", arms({ ...stable, weight: 0 }), "arms"],
    ["weight on the shadow only", arms({ ...stable, weight: 0 }, { ...shadow, weight: 9 }), "arms"],
    ["another role", arms({ ...stable, role: "control" }), "arms[0].role"],
    ["a share of a canary", arms(stable, { ...canary, share: 0.5 }), "arms[1].share"],
    ["a share of 0", arms(stable, { ...shadow, share: 0 }), "arms[1].share"],
    ["a share over 1", arms(stable, { ...shadow, share: 1.5 }), "arms[1].share"],
    ["a version with a space", arms({ ...stable, version: "a b" }), "arms[0].version"],
    ["a salt with a line end", valid({ salt: "a\nb" }), "salt"],
    ["no salt", valid({ salt: undefined }), "salt"],
    ["an expiry that is no time", valid({ expires: "tomorrow" }), "expires"],
    ["a misspelt limit", valid({ guardrails: { failure: 3 } }), "guardrails"],
    ["a limit of 0 failures", valid({ guardrails: { failures: 0 } }), "guardrails.failures"],
    ["a latency of 0", valid({ guardrails: { maxLatency: 0 } }), "guardrails.maxLatency"],
    ["a window of 5", valid({ guardrails: { latencyWindow: 5 } }), "guardrails.latencyWindow"],
    ["a window of half a prediction", valid({ guardrails: { latencyWindow: 10.5 } }), "guardrails.latencyWindow"],
    ["an unknown field", valid({ armes: [] }), ""],
    ["an unknown field of an arm", arms({ ...stable, weigth: 1 }), "arms[0]"],
    ["a manifest", { insitu: 1, name: "objects" }, "arms"],
    ["signatures that are none", valid({ signatures: [{}] }), "signatures[0].keyId"],
  ];
  it.each(cases)("%s", (_what, json, field) => {
    expect(refusal(() => parse(json))).toMatchObject({ code: "model_format", data: { url: URL_OF, field } });
  });

  it("a weight that overflows, and a field named __proto__", () => {
    const text = JSON.stringify(valid());
    for (const changed of [text.replace("95", "1e999"), text.replace('"model"', '"__proto__":{"release":9},"model"')])
      expect(refusal(() => parseChannel(changed, URL_OF)).code).toBe("model_format");
    expect(({} as Json).release).toBeUndefined();
  });

  it("HTML, with what the host did", () => {
    const { code, message } = refusal(() => parseChannel("<!doctype html><p>Not found", URL_OF));
    expect([code, message]).toEqual(["model_format", expect.stringContaining("HTML page")]);
  });
});

test("17 arms are refused, 16 are not; thousands are refused as a whole", () => {
  const many = (count: number) =>
    arms(stable, ...Array.from({ length: count - 1 }, (_, index) => ({ ...canary, package: `./c${index}/` })));
  expect(parse(many(16)).arms).toHaveLength(16);
  expect(refusal(() => parse(many(17)))).toMatchObject({ code: "model_format", data: { field: "arms" } });
  expect(refusal(() => parse(many(5000))).code).toBe("model_too_large");
});

test("more than 64 KiB are refused, counted in bytes", () => {
  const padding = (text: string, bytes: number) => text + " ".repeat(bytes - text.length);
  const text = JSON.stringify(valid());
  expect(parseChannel(padding(text, 65_536), URL_OF).release).toBe(12);
  expect(refusal(() => parseChannel(padding(text, 65_537), URL_OF)).code).toBe("model_too_large");
});

test.each(["https://h/a/x@y/channel.json", "https://h/m/channel.json?v=1", "tauri://localhost/m/c.json"])(
  "the packages of %s stay in its folder",
  (url) => {
    const [arm] = parse(valid()).arms;
    expect(packageOfArm(url, arm as Channel["arms"][0])).toBe(url.replace(/[^/]*$/, "1.0.0/"));
    for (const path of ["../x/", "/x/", "https://evil.example/x/", "./", "x"])
      expect(refusal(() => packageOfArm(url, { package: path })).code).toBe("model_format");
  },
);

describe("hostile JSON is read or refused with a typed error:", () => {
  const check = (text: string) => {
    const channel = attempt(() => parseChannel(text, URL_OF));
    if (!channel) return;
    const { arms } = channel;
    expect(Object.getPrototypeOf(channel)).toBe(Object.prototype);
    expect(arms.length).toBeLessThanOrEqual(16);
    expect(arms.filter(({ role }) => role === "stable")).toHaveLength(1);
    expect(arms.reduce((sum, { role, weight }) => sum + (role === "shadow" ? 0 : weight), 0)).toBeGreaterThan(0);
    for (const arm of arms) {
      expect(arm.weight >= 0 && arm.weight <= 1e6).toBe(true);
      expect(packageOfArm(URL_OF, arm).startsWith(FOLDER)).toBe(true);
    }
    const written = JSON.stringify(channel);
    expect(JSON.stringify(parseChannel(written, URL_OF))).toBe(written);
  };

  it("any JSON", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(hostile, (value) => check(textOf(value))),
      { numRuns: 1500 },
    );
  });

  it("a good channel with changes anywhere", { timeout: BOUNDED }, () => {
    const good = valid({ guardrails: { failures: 3, maxLatency: 80 }, expires: "2027-01-31" });
    fc.assert(
      fc.property(changes, (list) => check(mutate(good, list))),
      { numRuns: 3000 },
    );
  });

  it("any package", { timeout: BOUNDED }, () => {
    const segment = fc.constantFrom("..", ".", "a", "%2e", "", " ", "x@y", "insitu.json", "https:", "\\", "\u0000");
    const path = fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.array(segment, { maxLength: 6 }).map((segments) => segments.join("/")),
    );
    fc.assert(
      fc.property(path, (each) => check(JSON.stringify(arms({ ...stable, package: each, version: "1" })))),
      { numRuns: 3000 },
    );
  });

  it("damaged text", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(damage, (harm) => check(harm(JSON.stringify(valid())))),
      { numRuns: 1000 },
    );
  });
});
