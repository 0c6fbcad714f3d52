// Channel files over HTTP: served byte for byte, published under conditions, with their history; and what cannot be published.
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { startCollector } from "../../src/index.js";
import { temporaryFolder, withCollector } from "../support/run.js";
import { range, sayAll } from "../support/senders.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const OPERATOR = { authorization: "Bearer operator" };
const options = { operatorToken: "operator" };

function channel(release: number, arms: object[] = [{ package: "./1.0.0/", weight: 1, role: "stable" }]): string {
  // Written by hand: what is served must not be this file written again.
  return `{ "model": "digits",  "release": ${release}, "arms": ${JSON.stringify(arms)}, "salt": "é" }\n`;
}

const CANARY = [
  { package: "./1.0.0/", weight: 95, role: "stable" },
  { package: "./1.1.0", weight: 5, role: "canary" },
];

function put(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string>,
  model = "digits",
): Promise<Response> {
  return fetch(`${url}/v1/channels/${model}`, {
    method: "PUT",
    body: body as string,
    headers: { ...OPERATOR, "content-type": "application/json", ...headers },
  });
}

const create = (url: string, body: string) => put(url, body, { "if-none-match": "*" });

async function etagOf(url: string): Promise<string> {
  return (await fetch(`${url}/v1/channels/digits`)).headers.get("etag") ?? "";
}

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
    await withCollector(options, async ({ url }) => {
      const answer = await put(url, body, { "if-none-match": "*" });
      expect(answer.status).toBe(status);
      expect(await answer.text()).toContain(JSON.stringify(message).slice(1, -1));
      expect((await fetch(`${url}/v1/channels/digits`)).status).toBe(404);
    });
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
