// The routes over real HTTP: bad bodies, limits, keys, origins; after each the next good call works.
import { request } from "node:http";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { startCollector } from "../src/index.js";
import { counter, counterPoint, histogram, histogramPoint, logsBody, metricsBody, pairs } from "./support/otlp.js";
import { figure, post, withCollector } from "./support/run.js";

const GOOD = metricsBody([counter([counterPoint("1", { "error.type": "timeout" })])]);
const LINE = 'ml_errors_total{error_type="timeout",service_name="shop"}';
const OTLP_LIMIT = 256 * 1024;
/** Some hundred bytes. At the best quality packing takes a minute. */
const BROTLI_BOMB = brotliCompressSync(Buffer.alloc(200e6), { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
const GZIP = { "content-encoding": "gzip" };

/** A good body with a field that is not OTLP's. */
function withDeepField(levels: number): string {
  const [open, close] = ['{"a":['.repeat(levels / 2), "]}".repeat(levels / 2)];
  return JSON.stringify({ ...GOOD, x: "HERE" }).replace('"HERE"', `${open}${close}`);
}

async function answerOf(response: Response) {
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("bodies", () => {
  const spaces = (length: number) => `${JSON.stringify(GOOD)}${" ".repeat(length)}`;
  it.each<[string, unknown, Record<string, string>, number, string]>([
    ["a body that is not JSON", "{", {}, 400, "not JSON"],
    ["an empty body", "", {}, 400, "not JSON"],
    ["a body that is not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), {}, 400, "not JSON"],
    ["another JSON", "[1]", {}, 400, "resourceMetrics"],
    ["100,000 open brackets", "[".repeat(100_000), {}, 400, "nested deeper"],
    ["a deep array", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, {}, 400, "nested deeper"],
    ["a deep field that nobody reads", withDeepField(10_000), {}, 400, "nested deeper"],
    ["protobuf", new Uint8Array([10, 0]), { "content-type": "application/x-protobuf" }, 415, "JSON"],
    ["zstd", "x", { "content-encoding": "zstd" }, 415, "use gzip, br"],
    ["invalid brotli", "x", { "content-encoding": "br" }, 400, "not the br"],
    ["a brotli of 200 MB", BROTLI_BOMB, { "content-encoding": "br" }, 413, "262144 bytes"],
    ["invalid gzip", "hello", GZIP, 400, "not the gzip"],
    ["half a gzip", gzipSync(JSON.stringify(GOOD)).subarray(0, 40), GZIP, 400, "not the gzip"],
    ["more than 256 KiB", spaces(OTLP_LIMIT), {}, 413, "262144 bytes"],
    ["a gzip of 200 MB", gzipSync(Buffer.alloc(200e6)), GZIP, 413, "262144 bytes"],
  ])("refuses %s, and takes the next", async (_name, body, headers, status, message) => {
    await withCollector({}, async ({ url }) => {
      const answer = await answerOf(await post(`${url}/v1/metrics`, body, headers));
      expect(answer.status).toBe(status);
      expect(answer.body.message).toContain(message);
      expect(await answerOf(await post(`${url}/v1/metrics`, GOOD))).toEqual({ status: 200, body: {} });
      expect(await figure(url, LINE)).toBe(1);
    });
  });

  it("takes gzip, text/plain, and a body that just fits", async () => {
    await withCollector({}, async ({ url }) => {
      const json = JSON.stringify(GOOD);
      const fits = json.padEnd(OTLP_LIMIT, " ");
      expect((await post(`${url}/v1/metrics`, gzipSync(fits), GZIP)).status).toBe(200);
      const packed = brotliCompressSync(JSON.stringify(GOOD));
      expect((await post(`${url}/v1/metrics`, packed, { "content-encoding": "br" })).status).toBe(200);
      expect((await post(`${url}/v1/metrics`, fits)).status).toBe(200);
      expect((await post(`${url}/v1/metrics`, json, { "content-type": "text/plain;charset=UTF-8" })).status).toBe(200);
      expect(await figure(url, LINE)).toBe(4);
    });
  });

  it("counts brackets outside strings only", async () => {
    await withCollector({}, async ({ url }) => {
      const body = { ...GOOD, x: `\\"${"[{".repeat(1_000)}`, y: "\\" };
      expect((await post(`${url}/v1/metrics`, body)).status).toBe(200);
    });
  });

  it("keeps the good points beside the bad ones and tells how many were bad", async () => {
    await withCollector({}, async ({ url }) => {
      const bad = histogramPoint([0.01], {}, { sum: -1 });
      const conflict = counter([counterPoint("1", {})], { name: "ml.errors.total", unit: "" });
      const body = metricsBody([histogram([bad, bad, histogramPoint([0.01], {})]), conflict, { gauge: {} }, 5]);
      const { status, body: answer } = await answerOf(await post(`${url}/v1/metrics`, body));
      expect(status).toBe(200);
      expect(answer).toEqual({
        partialSuccess: { rejectedDataPoints: "5", errorMessage: expect.stringContaining("is negative") },
      });
      expect(await figure(url, 'ml_inference_duration_seconds_count{service_name="shop"}')).toBe(1);
      const rejected = (reason: string) => figure(url, `insitu_collector_rejected_total{reason="${reason}"}`);
      expect(await Promise.all(["amount", "malformed", "reserved_name", "time"].map(rejected))).toEqual([2, 2, 1, 0]);
    });
  });

  it("counts each of many senders once when they come at the same time", async () => {
    await withCollector({}, async ({ url }) => {
      const answers = await Promise.all(Array.from({ length: 200 }, () => post(`${url}/v1/metrics`, GOOD)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(await figure(url, LINE)).toBe(200);
    });
  });

  it("answers what is not there with 404, and says that it is alive", async () => {
    await withCollector({}, async ({ url }) => {
      expect((await answerOf(await fetch(`${url}/nothing?key=secret`))).body).toEqual({
        code: 5,
        message: "There is no GET /nothing here.",
      });
      expect(await answerOf(await fetch(`${url}/healthz`))).toEqual({ status: 200, body: { status: "ok" } });
      expect(await answerOf(await fetch(`${url}/readyz`))).toEqual({ status: 200, body: { status: "ready" } });
    });
  });
});

it("stores events where SQL finds them, hostile strings included", async () => {
  const hostile = `'); DROP TABLE events; --"\\\u0000\u2028\ud800 😀`;
  await withCollector({ allowAttributes: ["evil"] }, async (collector, data) => {
    const good = {
      eventName: "ml.prediction",
      severityNumber: 9,
      attributes: pairs({ "ml.model.name": "digits", evil: hostile }),
    };
    const answer = await answerOf(await post(`${collector.url}/v1/logs`, logsBody([good, good, { eventName: 1 }])));
    expect(answer.body).toMatchObject({ partialSuccess: { rejectedLogRecords: "1" } });
    await collector.close();
    const instance = await DuckDBInstance.create(data);
    const connection = await instance.connect();
    const sql = `SELECT name, severity, attributes->>'ml.model.name' AS model, attributes->>'evil' AS evil,
      resource->>'service.name' AS service, count(*)::INTEGER AS n, (max(time) > now()::TIMESTAMP - INTERVAL 1 DAY) AS fresh
      FROM events GROUP BY ALL`;
    const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
    connection.closeSync();
    instance.closeSync();
    const evil = `'); DROP TABLE events; --"\\\u2028\ufffd 😀`;
    expect(rows).toEqual([
      { name: "ml.prediction", severity: 9, model: "digits", evil, service: "shop", n: 2, fresh: true },
    ]);
  });
});

describe("keys", () => {
  it("needs the write key in one of its three places", async () => {
    await withCollector({ writeKey: "k1" }, async ({ url }) => {
      const send = async (headers: Record<string, string>, query = "") =>
        (await post(`${url}/v1/metrics${query}`, GOOD, headers)).status;
      expect(await send({})).toBe(401);
      expect(await send({ "x-insitu-key": "k2" })).toBe(401);
      expect(await send({}, "?key=k1&key=k1")).toBe(401);
      expect(await send({ "x-insitu-key": "k1" })).toBe(200);
      expect(await send({ authorization: "Bearer k1" })).toBe(200);
      expect(await send({}, "?key=k1")).toBe(200);
      expect(await figure(url, LINE)).toBe(3);
      expect((await post(`${url}/v1/logs`, logsBody([]))).status).toBe(401);
    });
  });

  it("needs the read token for the figures, and the write key is none", async () => {
    await withCollector({ writeKey: "k1", readToken: "t1" }, async ({ url }) => {
      const read = async (authorization: string) =>
        (await fetch(`${url}/metrics`, { headers: { authorization } })).status;
      expect([await read(""), await read("Bearer k1"), await read("Bearer t1")]).toEqual([401, 401, 200]);
      expect((await fetch(`${url}/metrics?key=k1`)).status).toBe(401);
    });
  });
});

/** `fetch` hides the CORS headers' source; this is what a browser sends before a POST with JSON. */
function preflight(url: string, origin: string): Promise<{ status?: number; headers: Record<string, unknown> }> {
  const headers = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-insitu-key",
  };
  return new Promise((resolve, reject) => {
    request(`${url}/v1/metrics`, { method: "OPTIONS", headers }, (response) => {
      response.resume().on("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    })
      .on("error", reject)
      .end();
  });
}

describe("origins", () => {
  const shop = "https://shop.example";
  it("answers a named origin with itself and credentials, on the preflight and on the POST", async () => {
    await withCollector({ allowOrigins: [`${shop}/`, "http://localhost:4173"], writeKey: "k" }, async ({ url }) => {
      const { status, headers } = await preflight(url, shop);
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        "access-control-allow-origin": shop,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type,x-insitu-key",
      });
      // The key comes with the POST; its refusal, too, must be readable for the page.
      const refused = await post(`${url}/v1/metrics`, GOOD, { origin: shop });
      expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, shop]);
      const taken = await post(`${url}/v1/metrics?key=k`, GOOD, { origin: "http://localhost:4173" });
      expect(taken.status).toBe(200);
      expect(taken.headers.get("access-control-allow-origin")).toBe("http://localhost:4173");
      expect(taken.headers.get("vary")).toContain("Origin");
    });
  });

  it("refuses every other origin, also when no preflight asks", async () => {
    await withCollector({ allowOrigins: [shop] }, async ({ url }) => {
      const { headers } = await preflight(url, "https://evil.example");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
      const plain = { origin: "https://evil.example", "content-type": "text/plain" };
      const answer = await answerOf(await post(`${url}/v1/metrics`, GOOD, plain));
      expect(answer).toMatchObject({ status: 403, body: { message: expect.stringContaining("https://evil.example") } });
      expect(await figure(url, LINE)).toBeUndefined();
    });
  });

  it("lets any origin write, without credentials, when none is named, and none read", async () => {
    await withCollector({}, async ({ url }) => {
      const { headers } = await preflight(url, shop);
      expect(headers["access-control-allow-origin"]).toBe(shop);
      expect(headers["access-control-allow-credentials"]).toBeUndefined();
      const read = await fetch(`${url}/metrics`, { headers: { origin: shop } });
      expect(read.headers.get("access-control-allow-origin")).toBeNull();
    });
  });

  it.each(["shop.example", "https://shop.example/path", "null", "*", "file:///tmp"])(
    "%s is not an origin",
    async (origin) => {
      await expect(startCollector({ port: 0, data: ":memory:", allowOrigins: [origin] })).rejects.toThrow(
        "is not an origin",
      );
    },
  );
});
