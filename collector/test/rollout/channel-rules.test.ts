// The collector publishes what pages take, and nothing else: its rules are compared with the library's parser.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseChannel } from "../../../src/shared/rollout/parse-channel.js";
import { insitu, insituAsync } from "../../../test/support/cli.js";
import { writeVersion } from "../../../test/support/versions.js";
import { type Collector, startCollector } from "../../src/index.js";
import { create, etagOf, put } from "../support/channels.js";
import { temporaryFolder, withCollector } from "../support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const options = { operatorToken: "operator" };

const ARM = { package: "./1.0.0/", weight: 1, role: "stable" };
const SHADOW = { package: "./2.0.0/", weight: 0, role: "shadow" };
const SIGNATURE = { keyId: "clé", algorithm: "Ed25519", signature: "AAAA" };
const file = (changes: object = {}) =>
  JSON.stringify({ model: "digits", release: 1, arms: [ARM], salt: "a", ...changes });
const arm = (changes: object) => file({ arms: [{ ...ARM, ...changes }] });

let collector: Collector;
beforeAll(async () => {
  collector = await startCollector({ port: 0, data: `${folder.path}/rules.db`, ...options });
});
afterAll(() => collector.close());

const TAKEN: [string, string][] = [
  ["a channel", file()],
  ["all of its fields", file({ guardrails: { failures: 1, maxLatency: 0.5, latencyWindow: 10, crashes: 2 } })],
  ["times", file({ created: "2026-01-31T12:00:00Z", expires: "2999-01-31" })],
  ["signatures", file({ signatures: [SIGNATURE] })],
  ["no signature in the list", file({ signatures: [] })],
  ["a share of a shadow", file({ arms: [ARM, { ...SHADOW, share: 0.5 }] })],
  ["a package in folders", arm({ package: "a/b/1.0.0" })],
  ["a path with spaces inside", arm({ package: "./a b/1.0.0/" })],
];

const REFUSED: [string, string, string][] = [
  ["an unknown field", file({ foo: 1 }), '"foo"'],
  ["a prototype", file().replace("{", '{"__proto__":{},'), '"__proto__"'],
  ["an unknown field of an arm", arm({ wieght: 1 }), '"arms[0].wieght"'],
  ["a package at another host", arm({ package: "https://evil/x" }), '"arms[0].package"'],
  ["a package above", arm({ package: "../1.0.0/" }), '"arms[0].package"'],
  ["a package at the host's root", arm({ package: "/1.0.0/" }), '"arms[0].package"'],
  ["a package at any host", arm({ package: "//evil/1.0.0/" }), '"arms[0].package"'],
  ["a package behind a backslash", arm({ package: "\\evil\\x", version: "1" }), '"arms[0].package"'],
  ["an escaped path", arm({ package: "%2e%2e/1.0.0" }), '"arms[0].package"'],
  ["a path with a line end", arm({ package: "a\n/1.0.0" }), '"arms[0].package"'],
  ["a path with half a character", arm({ package: "a\ud800/1.0.0" }), '"arms[0].package"'],
  ["a path with a space at its end", arm({ package: "a /1.0.0" }), '"arms[0].package"'],
  ["the folder itself", arm({ package: "./", version: "1" }), '"arms[0].package"'],
  ["a path that is too long", arm({ package: `${"a/".repeat(300)}1` }), '"arms[0].package"'],
  ["a channel as a package", arm({ package: "./channel.json" }), '"arms[0].package"'],
  ["an alias as a package", arm({ package: "./digits@champion", version: "1" }), '"arms[0].package"'],
  [
    "one package twice",
    file({ arms: [ARM, { ...ARM, package: "1.0.0", role: "canary", version: "2" }] }),
    "one package twice",
  ],
  ["a share of no shadow", arm({ share: 0.5 }), '"arms[0].share"'],
  ["a share of 0", file({ arms: [ARM, { ...SHADOW, share: 0 }] }), '"arms[1].share"'],
  ["a share over 1", file({ arms: [ARM, { ...SHADOW, share: 2 }] }), '"arms[1].share"'],
  ["no salt", file({ salt: undefined }), '"salt"'],
  ["a salt with a line end", file({ salt: "a\nb" }), '"salt"'],
  ["a salt of other letters", file({ salt: "é" }), '"salt"'],
  ["guardrails that are none", file({ guardrails: [] }), '"guardrails"'],
  ["a guardrail that is misspelt", file({ guardrails: { failure: 1 } }), '"guardrails.failure"'],
  ["half a failure", file({ guardrails: { failures: 1.5 } }), '"guardrails.failures"'],
  ["no latency", file({ guardrails: { maxLatency: 0 } }), '"guardrails.maxLatency"'],
  ["a short window", file({ guardrails: { latencyWindow: 9 } }), '"guardrails.latencyWindow"'],
  ["crashes as null", file({ guardrails: { crashes: null } }), '"guardrails.crashes"'],
  ["a time of creation that is none", file({ created: "today" }), '"created"'],
  ["signatures that are none", file({ signatures: {} }), '"signatures"'],
  ["a signature without a key", file({ signatures: [{ ...SIGNATURE, keyId: 1 }] }), '"signatures[0].keyId"'],
  ["no algorithm", file({ signatures: [{ ...SIGNATURE, algorithm: null }] }), '"signatures[0].algorithm"'],
  [
    "a signature that is no base64",
    file({ signatures: [{ ...SIGNATURE, signature: "é" }] }),
    '"signatures[0].signature"',
  ],
  ["null as a signature", file({ signatures: [null] }), '"signatures[0]"'],
];

describe("a channel that pages take", () => {
  it.each(TAKEN)("is published with %s, byte for byte", async (_name, body) => {
    expect(() => parseChannel(body, "x")).not.toThrow();
    await withCollector(options, async ({ url }) => {
      const answer = await create(url, body);
      expect(answer.status, await answer.clone().text()).toBe(200);
      expect(await (await fetch(`${url}/v1/channels/digits`)).text()).toBe(body);
    });
  });
});

describe("a channel that pages refuse", () => {
  it.each(REFUSED)("is refused for %s", async (_name, body, message) => {
    expect(() => parseChannel(body, "x")).toThrow();
    const answer = await create(collector.url, body);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(JSON.stringify(message).slice(1, -1));
    expect((await fetch(`${collector.url}/v1/channels/digits`)).status).toBe(404);
  });
});

describe("a signed channel", () => {
  it("is replaced by an unsigned one only when the request says so", async () => {
    await withCollector(options, async ({ url }) => {
      expect((await create(url, file({ signatures: [SIGNATURE] }))).status).toBe(200);
      const signed = await etagOf(url);
      for (const signatures of [undefined, []])
        for (const more of [{}, { "x-insitu-unsigned": "no" }] as Record<string, string>[]) {
          const answer = await put(url, file({ release: 2, signatures }), { "if-match": signed, ...more });
          expect(answer.status).toBe(409);
          expect(await answer.text()).toContain("x-insitu-unsigned: yes");
        }
      expect(await etagOf(url)).toBe(signed);
      const next = file({ release: 2, signatures: [{ ...SIGNATURE, keyId: "two" }] });
      expect((await put(url, next, { "if-match": signed })).status).toBe(200);
      const meant = { "if-match": await etagOf(url), "x-insitu-unsigned": "yes" };
      expect((await put(url, file({ release: 3 }), meant)).status).toBe(200);
      // Nothing is lost any more.
      expect((await put(url, file({ release: 4 }), { "if-match": await etagOf(url) })).status).toBe(200);
    });
  });

  it("is published without a signature by the command line with --unsigned", async () => {
    const key = `${folder.path}/key.json`;
    expect(insitu("keygen", "--out", key, "--id", "prod").status).toBe(0);
    const packages = `${folder.path}/packages`;
    writeVersion(packages, "1.0.0");
    writeVersion(packages, "1.1.0");
    await withCollector(options, async ({ url }) => {
      const run = (command: string, ...args: string[]) =>
        insituAsync("channel", command, `${url}/v1/channels/digits`, "--token", "operator", ...args);
      const start = ["--stable", "1.0.0", "--canary", "1.1.0", "--packages", packages, "--sign", key];
      expect(await run("start", ...start)).toMatchObject({ status: 0 });
      const raise = ["--to", "25", "--packages", packages];
      expect((await run("raise", ...raise)).stderr).toContain("--unsigned");
      expect(await run("raise", ...raise, "--unsigned")).toMatchObject({ status: 0 });
      const text = await (await fetch(`${url}/v1/channels/digits`)).text();
      expect(parseChannel(text, "x")).toMatchObject({ release: 2 });
      expect(text).not.toContain("signature");
    });
  });
});
