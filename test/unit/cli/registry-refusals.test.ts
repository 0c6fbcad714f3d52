// What `insitu registry` refuses, run as a process, with messages that say what differs and what to do; nothing is written before.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { insitu } from "../../support/cli.js";
import { useRegistry } from "../../support/registry-room.js";
import { readJson, writeVersion } from "../../support/versions.js";

const { rooms, registry, add, at } = useRegistry();
/** A fresh package, for a test that changes it. */
const fresh = (name: string, changes: Record<string, unknown> = {}) =>
  writeVersion(join(rooms.root, `fresh-${Math.random()}`), name, changes);
const refused = (message: string | RegExp) => ({ status: 1, stdout: "", stderr: expect.stringMatching(message) });

beforeAll(() => {
  writeVersion(join(rooms.root, "packages"), "1.0.0");
  writeVersion(join(rooms.root, "packages"), "1.1.0");
});

describe("a version whose manifest was changed in the registry", () => {
  const manifest = () => at("digits/1.0.0/insitu.json");

  it.each<[string, (text: string) => string, RegExp]>([
    [
      "in its fields",
      (text) => JSON.stringify({ ...JSON.parse(text), license: "other", metrics: { accuracy: 1 } }, null, 2),
      /holds another insitu\.json: its fields (license, metrics|metrics, license) differ\. Remove \S+insitu\.json/,
    ],
    ["in its spaces", (text) => JSON.stringify(JSON.parse(text)), /another insitu\.json: only its spaces or the order/],
    ["into no JSON", () => "{", /another insitu\.json: it is not JSON/],
  ])("%s is not taken for the package that is added", (_what, change, message) => {
    expect(add("1.0.0").status).toBe(0);
    const original = readFileSync(manifest(), "utf8");
    const other = change(original);
    writeFileSync(manifest(), other);
    expect(add("1.0.0", "--alias", "champion")).toMatchObject(refused(message));
    expect(readFileSync(manifest(), "utf8")).toBe(other);
    expect(existsSync(at("digits/champion.json"))).toBe(false);
    // What the message advises.
    rmSync(manifest());
    expect(add("1.0.0").stdout).toContain("added to");
    expect(readFileSync(manifest(), "utf8")).toBe(original);
  });

  it("gets no alias, and neither does the folder of another version", () => {
    add("1.0.0", "--alias", "champion");
    add("1.1.0");
    const before = readFileSync(at("digits/champion.json"), "utf8");
    const file = at("digits/1.1.0/insitu.json");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), license: "other" }));
    expect(registry("alias", "digits@champion", "1.1.0")).toMatchObject(
      refused(/not the one that was added by .* on \d{4}-.*Remove \S+insitu\.json, and add the package again/),
    );
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), version: "1.0.0" }));
    expect(registry("alias", "digits@champion", "1.1.0")).toMatchObject(refused(/holds the version 1\.0\.0/));
    expect(readFileSync(at("digits/champion.json"), "utf8")).toBe(before);
    writeFileSync(file, text);
    expect(registry("alias", "digits@champion", "1.1.0").status).toBe(0);
  });
});

describe("a name that cannot be used", () => {
  it("of an alias or of a key is refused before anything is written", () => {
    expect(add("1.0.0", "--alias", "champion", "--alias", "v1.0.0")).toMatchObject(
      refused(/"v1\.0\.0" cannot be an alias/),
    );
    expect(add("1.0.0", "--alias", "champion", "--sign", join(rooms.root, "none.json"))).toMatchObject(
      refused("there is no such file"),
    );
    expect(existsSync(at("digits"))).toBe(false);
    expect(existsSync(at("index.json"))).toBe(false);
  });

  it.each(["index.html", "index.json", "Index.HTML"])("%s is the registry's own, and no model's", (name) => {
    expect(registry("add", fresh("1.0.0", { name }))).toMatchObject(refused("is a file of the registry"));
    expect(existsSync(at(name))).toBe(false);
  });
});

describe("an alias that follows a channel", () => {
  it("moves where another field holds the text of the version", () => {
    for (const name of ["1.0.0", "1.1.0"]) add(name);
    registry("alias", "digits@champion", "1.0.0");
    const file = at("digits/champion.json");
    // A signature can hold any words.
    const odd = { keyId: '"version": "1.1.0"', algorithm: '"version": "1.1.0"', signature: "AAAA", version: "1.1.0" };
    writeFileSync(file, JSON.stringify({ ...readJson(file), release: 9, signatures: [odd] }, null, 2));
    insitu("channel", "start", at("digits"), "--stable", "1.0.0", "--canary", "1.1.0");
    expect(insitu("channel", "promote", at("digits"), "--unsigned").stdout).toContain("digits@champion: 1.1.0");
    expect(readJson(file).arms).toMatchObject([{ version: "1.1.0" }]);
  });

  it("is left where it names the version already, whatever its spaces", () => {
    for (const name of ["1.0.0", "1.1.0"]) add(name);
    registry("alias", "digits@champion", "1.1.0");
    const file = at("digits/champion.json");
    writeFileSync(file, JSON.stringify({ ...readJson(file), release: 9 }));
    insitu("channel", "start", at("digits"), "--stable", "1.0.0", "--canary", "1.1.0");
    expect(insitu("channel", "promote", at("digits")).stdout).not.toContain("digits@champion");
    expect(readJson(file).release).toBe(9);
  });
});
