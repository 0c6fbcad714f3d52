// Who may send how much: keys with origins of their own, token buckets, the list of attributes; and no body ends the collector.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRateLimit } from "../src/rate-limit.js";
import { counter, counterPoint, histogram, histogramPoint, logsBody, metricsBody } from "./support/otlp.js";
import { command, figure, post, withCollector } from "./support/run.js";

const GOOD = metricsBody([counter([counterPoint("1", { "error.type": "timeout" })])]);
const LINE = 'ml_errors_total{error_type="timeout",service_name="shop"}';

describe("keys", () => {
  const options = {
    writeKeys: [
      { key: "shop", allowOrigins: ["https://shop.example"] },
      { key: "blog", allowOrigins: ["https://blog.example"] },
    ],
  };
  it.each<[string, Record<string, string>, number]>([
    ["its own origin", { "x-insitu-key": "shop", origin: "https://shop.example" }, 200],
    ["another key's origin", { "x-insitu-key": "shop", origin: "https://blog.example" }, 403],
    ["no origin, which is no page", { "x-insitu-key": "blog" }, 200],
    ["a key that is none", { "x-insitu-key": "x", origin: "https://shop.example" }, 401],
    ["no key", { origin: "https://shop.example" }, 401],
  ])("with %s", async (_name, headers, status) => {
    await withCollector(options, async ({ url }) => {
      expect((await post(`${url}/v1/metrics`, GOOD, headers)).status).toBe(status);
      expect((await figure(url, LINE)) ?? 0).toBe(status === 200 ? 1 : 0);
    });
  });

  it("a preflight is answered for the pages of every key, and for no others", async () => {
    await withCollector(options, async ({ url }) => {
      for (const [origin, answer] of [
        ["https://shop.example", "https://shop.example"],
        ["https://blog.example", "https://blog.example"],
        ["https://evil.example", null],
      ] as const) {
        const headers = {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type,x-insitu-key",
        };
        const reply = await fetch(`${url}/v1/logs`, { method: "OPTIONS", headers });
        expect(reply.headers.get("access-control-allow-origin")).toBe(answer);
      }
    });
  });
});

describe("rates", () => {
  it("lets a burst through, then so many a second, and says when to come again", async () => {
    await withCollector({ rate: 5 }, async ({ url }) => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => post(`${url}/v1/metrics`, GOOD)));
      const taken = answers.filter(({ status }) => status === 200).length;
      expect(taken).toBeGreaterThanOrEqual(20);
      expect(taken).toBeLessThan(30);
      const limited = answers.find(({ status }) => status === 429);
      expect(limited?.headers.get("retry-after")).toBe("1");
      expect(await figure(url, LINE)).toBe(taken);
      expect(await figure(url, "insitu_collector_rate_limited_total")).toBe(40 - taken);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect((await post(`${url}/v1/metrics`, GOOD)).status).toBe(200);
    });
  });

  it("count by key as well, and by the address that a trusted proxy names", async () => {
    const from = (address: string, key: string) => ({ "x-forwarded-for": address, "x-insitu-key": key });
    await withCollector(
      { rate: 1, keyRate: 2, writeKeys: [{ key: "a" }, { key: "b" }, { key: "c" }], trustProxy: ["loopback"] },
      async ({ url }) => {
        const send = async (address: string, key: string) =>
          (await post(`${url}/v1/metrics`, GOOD, from(address, key))).status;
        const accepted = async (addresses: string[], key: string) =>
          (await Promise.all(addresses.map((address) => send(address, key)))).filter((status) => status === 200).length;
        // An address has four at once and then one a second, whatever its key allows. All at once, since a busy machine is slow.
        const one = await accepted(Array(20).fill("10.0.0.1"), "b");
        expect(one).toBeGreaterThanOrEqual(4);
        expect(one).toBeLessThan(20);
        // The key's eight are spent, whoever comes with it.
        const many = await accepted(
          Array.from({ length: 40 }, (_, index) => `10.0.1.${index}`),
          "a",
        );
        expect(many).toBeGreaterThanOrEqual(8);
        expect(many).toBeLessThan(40);
        expect(await send("10.0.2.1", "c")).toBe(200);
      },
    );
  });

  it("is what a bucket of tokens allows, at any times", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3000), { minLength: 1, maxLength: 200 }), (gaps) => {
        let now = 0;
        const limit = createRateLimit({ rate: 2, burst: 5 }, () => now);
        let passed = 0;
        for (const gap of gaps) {
          now += gap;
          const wait = limit.take("a");
          if (wait === 0) passed += 1;
          else {
            expect(wait).toBeLessThanOrEqual(500);
            now += wait;
            expect(limit.take("a")).toBe(0);
            passed += 1;
          }
        }
        expect(passed).toBeLessThanOrEqual(5 + (now / 1000) * 2 + 1e-6);
      }),
    );
  });

  it("ten thousand senders are remembered, not more", () => {
    const limit = createRateLimit({ rate: 1, burst: 1 }, () => 0);
    expect([limit.take("first"), limit.take("first")]).toEqual([0, 1000]);
    for (let i = 0; i < 10_000; i += 1) limit.take(`${i}`);
    expect(limit.take("first")).toBe(0);
  });
});

describe("attributes", () => {
  const point = counterPoint("1", { "error.type": "timeout", "user.name": "alice", "http.url": "https://x" });
  it("that are on no list are left out, and the record is kept", async () => {
    await withCollector({}, async ({ url }) => {
      expect(await (await post(`${url}/v1/metrics`, metricsBody([counter([point])]))).json()).toEqual({});
      expect(await figure(url, LINE)).toBe(1);
      expect(await figure(url, "insitu_collector_attributes_dropped_total")).toBe(2);
    });
  });

  it("that the owner names are kept, a whole family by its dot", async () => {
    await withCollector({ allowAttributes: ["http."] }, async ({ url }) => {
      await post(`${url}/v1/metrics`, metricsBody([counter([point])]));
      expect(await figure(url, 'ml_errors_total{error_type="timeout",http_url="https://x",service_name="shop"}')).toBe(
        1,
      );
    });
  });

  it("random ones make no more series than fit", { timeout: 60_000 }, async () => {
    await withCollector({ rate: 10_000 }, async ({ url }) => {
      for (let i = 0; i < 60; i += 1) {
        const points = Array.from({ length: 100 }, (_, k) => counterPoint("1", { "error.type": `e${i * 100 + k}` }));
        expect((await post(`${url}/v1/metrics`, metricsBody([counter(points)]))).status).toBe(200);
      }
      // What one address may begin, and the overflow series.
      expect(await figure(url, "insitu_collector_series")).toBe(1_001);
      expect(await figure(url, 'ml_errors_total{otel_metric_overflow="true"}')).toBe(5_000);
    });
  });
});

it("whatever a stranger sends, it gets 200 or 4xx, and what is counted stays right", { timeout: 120_000 }, async () => {
  await withCollector({ rate: 100_000 }, async ({ url }) => {
    const whole = {
      metrics: metricsBody([histogram([histogramPoint([0.01], {})]), counter([counterPoint("1", {})])]),
      logs: logsBody([{ eventName: "x", attributes: [] }]),
    };
    /** The JSON with one value in it replaced by anything. */
    const mutated = fc
      .tuple(fc.constantFrom(whole.metrics, whole.logs), fc.nat(60), fc.jsonValue())
      .map(([body, at, value]) => {
        let seen = 0;
        return JSON.stringify(body, (_key, old) => {
          seen += 1;
          return seen === at ? value : old;
        });
      });
    const bodies = fc.oneof(mutated, fc.json(), fc.string());
    const paths = fc.constantFrom("/v1/metrics", "/v1/logs", "/v1/beacon");
    await fc.assert(
      fc.asyncProperty(bodies, paths, async (body, path) => {
        const { status } = await post(`${url}${path}`, body);
        expect(status === 200 || (status >= 400 && status < 500)).toBe(true);
      }),
      { numRuns: 600 },
    );
    const before = (await figure(url, LINE)) ?? 0;
    expect((await post(`${url}/v1/metrics`, GOOD)).status).toBe(200);
    expect(await figure(url, LINE)).toBe(before + 1);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });
});

it.each([
  [["--rate", "0"], "must be an integer"],
  [["--keep-days", "3"], "at least 8"],
  [["--write-key", "k=https://x/y"], "is not an origin"],
])("the command refuses %j", (args, message) => {
  const { status, stderr } = command("--port", "0", "--data", ":memory:", ...args);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
});
