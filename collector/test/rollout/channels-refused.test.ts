// Channel files that cannot be published: what the collector answers, and that the channel goes on.
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Collector, startCollector } from "../../src/index.js";
import { CANARY, channel, create, etagOf, put } from "../support/channels.js";
import { temporaryFolder, withCollector } from "../support/run.js";
import { range } from "../support/senders.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const options = { operatorToken: "operator" };

const expiring = (expires: unknown) => channel(1).replace('"salt"', `"expires": ${JSON.stringify(expires)}, "salt"`);

let collector: Collector;
beforeAll(async () => {
  collector = await startCollector({ port: 0, data: join(folder.path, "refused.db"), ...options });
});
afterAll(() => collector.close());

describe("refuses", () => {
  const arm = { package: "./1.0.0/", weight: 1, role: "stable" };
  it.each<[string, string | Uint8Array, number, string]>([
    ["what is not JSON", "<html>", 400, "not JSON"],
    ["an array", "[]", 400, "JSON object"],
    ["null", "null", 400, "JSON object"],
    ["nothing", "", 400, ""],
    ["bytes that are not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), 400, "UTF-8"],
    ["more than 64 KiB", `{"x":"${"y".repeat(65_536)}"}`, 413, "65536 bytes"],
    ["another model", channel(1).replace("digits", "other"), 400, 'the model "other"'],
    ["no release", channel(1).replace('"release": 1', '"release": "1"'), 400, '"release"'],
    ["a negative release", channel(-1), 400, '"release"'],
    ["a release that leaves no room for a next one", channel(2 ** 53 - 1), 400, "the highest is 1099511627776"],
    ["a first release from which only few others could follow", channel(2 ** 40), 400, "the first one of a channel"],
    ["one that has expired", expiring("2026-01-31T12:00:00Z"), 409, "expired at 2026-01-31T12:00:00.000Z"],
    ["a time of expiry that is none", expiring("soon"), 400, '"expires"'],
    ["an expiry on the 31st of February", expiring("2099-02-31"), 400, '"expires"'],
    ["a month that does not exist", expiring("2099-13-01"), 400, '"expires"'],
    ["a number as time of expiry", expiring(1e12), 400, '"expires"'],
    ["no arms", channel(1, []), 400, '"arms"'],
    [
      "17 arms",
      channel(
        1,
        range(0, 17).map((i) => ({ ...arm, package: `./${i}` })),
      ),
      400,
      '"arms"',
    ],
    ["two stable versions", channel(1, [arm, { ...arm, package: "./2" }]), 400, "exactly one"],
    [
      "two shadows",
      channel(1, [arm, { ...arm, package: "./2", role: "shadow" }, { ...arm, package: "./3", role: "shadow" }]),
      400,
      "shadow",
    ],
    ["a version twice", channel(1, [arm, { ...arm, role: "canary" }]), 400, "twice"],
    ["a negative weight", channel(1, [{ ...arm, weight: -1 }]), 400, '"arms[0].weight"'],
    ["a weight that is a string", channel(1, [{ ...arm, weight: "1" }]), 400, '"arms[0].weight"'],
    ["no weight at all", channel(1, [{ ...arm, weight: 0 }]), 400, "no weight"],
    ["an unknown role", channel(1, [{ ...arm, role: "boss" }]), 400, '"arms[0].role"'],
    ["an arm that is none", channel(1, [null as never]), 400, '"arms[0]"'],
  ])("%s", async (_name, body, status, message) => {
    const { url } = collector;
    const answer = await put(url, body, { "if-none-match": "*" });
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(JSON.stringify(message).slice(1, -1));
    expect((await fetch(`${url}/v1/channels/digits`)).status).toBe(404);
  });

  it("a release that is not higher", async () => {
    await withCollector(options, async ({ url }) => {
      await create(url, channel(5));
      for (const release of [4, 5]) {
        const answer = await put(url, channel(release, CANARY), { "if-match": await etagOf(url) });
        expect(answer.status).toBe(409);
        expect(await answer.text()).toContain("count it up");
      }
    });
  });

  it("more requests than the rate allows", async () => {
    await withCollector({ ...options, rate: 5 }, async ({ url }) => {
      const answers = await Promise.all(range(0, 60).map(() => fetch(`${url}/v1/channels/digits`)));
      expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(20);
    });
  });

  it("a jump after which pages would refuse every release; the next one is taken", async () => {
    await withCollector(options, async ({ url }) => {
      await create(url, channel(7));
      for (const [release, status] of [
        [2 ** 53 - 1, 400],
        [2 ** 40 + 1, 400],
        [2 ** 40, 409],
        [1_000_000_008, 409],
      ] as const) {
        const answer = await put(url, channel(release, CANARY), { "if-match": await etagOf(url) });
        expect(answer.status, String(release)).toBe(status);
        expect(await answer.text()).toMatch(/the highest is|Count it up/);
      }
      for (const release of [8, 1_000_000_008])
        expect((await put(url, channel(release, CANARY), { "if-match": await etagOf(url) })).status).toBe(200);
    });
  });

  it("one that expires while it is published, when it is published again; a later one is taken", async () => {
    let now = Date.parse("2026-01-31T11:00:00Z");
    await withCollector({ ...options, now: () => now }, async ({ url }) => {
      expect((await create(url, expiring("2026-01-31T12:00:00Z"))).status).toBe(200);
      now += 3_600_000;
      const next = expiring("2026-01-31T12:00:00Z").replace('"release": 1', '"release": 2');
      const answer = await put(url, next, { "if-match": await etagOf(url) });
      expect(answer.status).toBe(409);
      expect(await answer.text()).toContain('a later \\"expires\\"');
      const later = next.replace("2026-01-31T12", "2026-02-28T12");
      expect((await put(url, later, { "if-match": await etagOf(url) })).status).toBe(200);
    });
  });
});

describe("a packed body", () => {
  it.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ])("by %s is taken, and served as it was before", async (encoding, pack) => {
    await withCollector(options, async ({ url }) => {
      const headers = { "if-none-match": "*", "content-encoding": encoding };
      expect((await put(url, pack(channel(1)), headers)).status).toBe(200);
      expect(await (await fetch(`${url}/v1/channels/digits`)).text()).toBe(channel(1));
      const reference = JSON.stringify({
        name: "digits",
        version: "1",
        reference: { samples: 9, features: [{ name: "a" }] },
      });
      expect((await put(url, pack(reference), { "content-encoding": encoding }, "digits/reference")).status).toBe(200);
    });
  });

  it.each<[string, Uint8Array | string, string, number, string]>([
    ["by an unknown encoding", channel(1), "zstd", 415, "gzip, br, deflate or none"],
    ["by two encodings", gzipSync(channel(1)), "gzip, br", 415, "not supported"],
    ["that is not gzip", channel(1), "gzip", 400, "not the gzip"],
    ["that is half a brotli", brotliCompressSync(channel(1)).subarray(0, 20), "br", 400, "not the br"],
    ["of 10 MB by gzip", gzipSync(Buffer.alloc(1e7)), "gzip", 413, "65536 bytes when unpacked"],
    ["of 10 MB by brotli", brotliCompressSync(Buffer.alloc(1e7)), "br", 413, "65536 bytes when unpacked"],
  ])("%s is refused", async (_name, body, encoding, status, message) => {
    const { url } = collector;
    const answer = await put(url, body, { "if-none-match": "*", "content-encoding": encoding });
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(message);
    expect((await fetch(`${url}/v1/channels/digits`)).status).toBe(404);
  });
});
