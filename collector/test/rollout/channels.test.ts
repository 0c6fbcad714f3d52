// Channel files over HTTP: served byte for byte, published under conditions, with their history; and what cannot be published.
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { startCollector } from "../../src/index.js";
import { CANARY, channel, create, etagOf, put } from "../support/channels.js";
import { temporaryFolder, withCollector } from "../support/run.js";
import { range, sayAll } from "../support/senders.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const options = { operatorToken: "operator" };

describe("a channel", () => {
  it("is served as it was uploaded, to every page, also after a restart", async () => {
    const data = join(folder.path, "channel.db");
    const first = await startCollector({ port: 0, data, ...options });
    expect((await fetch(`${first.url}/v1/channels/digits`)).status).toBe(404);
    const created = await create(first.url, channel(3));
    expect(created.status, await created.clone().text()).toBe(200);
    await first.close();
    const { url, close } = await startCollector({ port: 0, data, ...options });
    for (const name of ["digits", "digits.json"]) {
      const answer = await fetch(`${url}/v1/channels/${name}`, { headers: { origin: "https://shop.example" } });
      expect(await answer.text()).toBe(channel(3));
      expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
      expect(answer.headers.get("access-control-expose-headers")).toContain("etag");
      expect(answer.headers.get("cache-control")).toContain("max-age=");
      expect(answer.headers.get("etag")).toBe(created.headers.get("etag"));
    }
    const etag = await etagOf(url);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const same = await fetch(`${url}/v1/channels/digits`, { headers: { "if-none-match": known } });
      expect([same.status, await same.text()]).toEqual([304, ""]);
    }
    expect((await fetch(`${url}/v1/channels/digits`, { headers: { "if-none-match": '"old"' } })).status).toBe(200);
    expect((await fetch(`${url}/v1/channels/digits`, { method: "HEAD" })).headers.get("etag")).toBe(etag);
    await close();
  });

  it("needs the operator's token to be published, which no other token is", async () => {
    await withCollector({ readToken: "read", writeKey: "write", ...options }, async ({ url }) => {
      for (const authorization of ["", "Bearer read", "Bearer write", "Bearer x"])
        expect((await put(url, channel(1), { "if-none-match": "*", authorization })).status).toBe(401);
      expect((await create(url, channel(1))).status).toBe(200);
    });
    await withCollector({}, async ({ url }) => {
      const refused = await create(url, channel(1));
      expect(refused.status).toBe(403);
      expect(await refused.text()).toContain("--operator-token");
    });
  });

  it("is replaced by the one of two publishers who comes first", async () => {
    await withCollector(options, async ({ url }) => {
      await create(url, channel(1));
      const etag = await etagOf(url);
      const answers = await Promise.all(
        [2, 3, 4, 5].map((release) => put(url, channel(release), { "if-match": etag, "x-insitu-by": `p${release}` })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
      const lost = answers.find(({ status }) => status === 412);
      expect(await lost?.text()).toMatch(/published release \d since you read the channel \(p\d\)/);
      expect((await create(url, channel(9))).status).toBe(412);
      expect((await put(url, channel(9), {})).status).toBe(428);
      expect((await put(url, channel(9), { "if-match": "*" })).status).toBe(200);
    });
  });

  it("keeps who changed what, when and why", async () => {
    await withCollector(options, async ({ url }) => {
      await put(url, channel(1), {
        "if-none-match": "*",
        "x-insitu-by": "ada",
        "x-insitu-why": encodeURIComponent("first – é"),
      });
      await put(url, channel(2, CANARY), {
        "if-match": await etagOf(url),
        "x-insitu-by": "bob",
        "x-insitu-why": "100%",
      });
      const history = await (await fetch(`${url}/v1/channels/digits/history`)).json();
      expect(history).toMatchObject([
        {
          release: 2,
          by: "bob",
          why: "100%",
          arms: [
            { version: "1.0.0", weight: 95 },
            { version: "1.1.0", role: "canary" },
          ],
        },
        { release: 1, by: "ada", why: "first – é" },
      ]);
      expect(await (await fetch(`${url}/v1/channels/other/history`)).json()).toEqual([]);
    });
  });

  it("that is published again unchanged is no change", async () => {
    await withCollector(options, async ({ url }) => {
      await create(url, channel(1));
      const etag = await etagOf(url);
      expect((await put(url, channel(1), { "if-match": etag })).status).toBe(200);
      expect(await (await fetch(`${url}/v1/channels/digits/history`)).json()).toHaveLength(1);
    });
  });
});

it("a decision counts from the release on since which both versions run", async () => {
  let now = Date.now();
  await withCollector({ ...options, trustProxy: 1, now: () => now }, async ({ url }) => {
    const day = 24 * 3_600_000;
    const decision = async () => (await (await fetch(`${url}/v1/rollouts/digits`)).json()) as Record<string, unknown>;
    const told = { version: "1.0.0", arm: "stable", correct: 9, incorrect: 1, durations: [0.01] };
    await sayAll(url, range(0, 20), () => told);
    await create(url, channel(1));
    expect(await decision()).toMatchObject({ reason: "no_candidate", control: { version: "1.0.0", arm: "stable" } });
    now += 2 * day;
    await put(url, channel(2, CANARY), { "if-match": await etagOf(url) });
    const started = now;
    await sayAll(url, range(0, 20), () => told);
    await sayAll(url, range(50, 60), () => ({ ...told, version: "1.1.0", arm: "canary" }));
    // A raise is the same comparison: its data go on.
    now += day;
    await put(
      url,
      channel(3, [
        { ...CANARY[0], weight: 50 },
        { ...CANARY[1], weight: 50 },
      ] as object[]),
      { "if-match": await etagOf(url) },
    );
    expect(await decision()).toMatchObject({
      since: started,
      control: { version: "1.0.0", n: 20 },
      candidate: { version: "1.1.0", arm: "canary", n: 10 },
    });
    // Another candidate begins anew.
    now += day;
    await put(url, channel(4, [CANARY[0] as object, { ...CANARY[1], package: "./1.2.0" }]), {
      "if-match": await etagOf(url),
    });
    expect(await decision()).toMatchObject({ since: now, candidate: { version: "1.2.0", n: 0 } });
  });
});
