// What is passed on: to another collector of ours, and to servers that answer as Elasticsearch and Splunk are documented to.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { counter, counterPoint, logsBody, metricsBody } from "./support/otlp.js";
import { command, figure, post, until, withCollector } from "./support/run.js";

const METRICS = metricsBody([counter([counterPoint("2", { "error.type": "timeout" })])]);
const LOGS = logsBody(
  ["a", "b", "c"].map((id) => ({
    eventName: "ml.prediction",
    severityNumber: 9,
    attributes: [{ key: "ml.prediction.id", value: { stringValue: id } }],
  })),
);
const ERRORS = 'ml_errors_total{error_type="timeout",service_name="shop"}';
const id = (n: number) => n.toString(16).padStart(32, "0");

interface Got {
  url: string;
  headers: Record<string, unknown>;
  text: string;
}

let server: Server;
let url: string;
let got: Got[] = [];
type Answer = (request: Got, response: ServerResponse, number: number) => void;
let answer: Answer;

beforeEach(async () => {
  got = [];
  answer = (_request, response) => void response.end("{}");
  server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const one = { url: request.url ?? "", headers: request.headers, text };
    got.push(one);
    answer(one, response, got.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe("another collector", () => {
  it("has the same sums, from all three routes, and counts what comes twice once", async () => {
    await withCollector({}, async (far) => {
      await withCollector({ sinks: { otlp: { url: far.url } } }, async (near) => {
        const beacon = {
          v: 1,
          resource: { "service.name": "shop" },
          start: Date.now(),
          end: Date.now(),
          events: [{ name: "x", time: Date.now(), severity: 9, attributes: {} }],
        };
        const metrics = [
          {
            kind: "counter",
            name: "ml.errors",
            unit: "{error}",
            points: [{ attributes: { "error.type": "timeout" }, value: 5 }],
          },
        ];
        await post(`${near.url}/v1/metrics?batch=${id(1)}`, METRICS);
        await post(`${near.url}/v1/metrics?batch=${id(1)}`, METRICS);
        await post(`${near.url}/v1/metrics`, METRICS);
        await post(`${near.url}/v1/logs?batch=${id(2)}`, LOGS);
        await post(`${near.url}/v1/beacon?batch=${id(3)}`, { ...beacon, metrics });
        await until("the far collector", 5_000, async () =>
          (await figure(far.url, "insitu_collector_events_total")) === 4 ? true : undefined,
        );
        expect(await figure(far.url, ERRORS)).toBe(9);
        expect(await figure(near.url, ERRORS)).toBe(9);
        expect(await figure(near.url, "insitu_collector_sink_otlp_sent_total")).toBe(7);
      });
    });
  });

  it("that is away costs nothing here, and gets all when it is back", { timeout: 30_000 }, async () => {
    answer = (_request, response, number) =>
      number <= 2 ? response.writeHead(503, { "retry-after": "1" }).end() : response.end("{}");
    await withCollector({ sinks: { otlp: { url, headers: { "x-key": "k" } } } }, async (near) => {
      for (let i = 0; i < 5; i += 1)
        expect((await post(`${near.url}/v1/metrics?batch=${id(i)}`, METRICS)).status).toBe(200);
      await until("all of it", 20_000, async () =>
        (await figure(near.url, "insitu_collector_sink_otlp_sent_total")) === 5 ? true : undefined,
      );
      expect(got.every(({ headers }) => headers["x-key"] === "k")).toBe(true);
      expect(await figure(near.url, "insitu_collector_sink_otlp_retries_total")).toBe(2);
      // Each again under its own name.
      expect(new Set(got.map((one) => one.url)).size).toBe(5);
    });
  });

  it("that says to come back in 115 days is not asked again", async () => {
    answer = (_request, response) => response.writeHead(503, { "retry-after": "9999999" }).end();
    await withCollector({ sinks: { otlp: { url } } }, async (near) => {
      expect((await post(`${near.url}/v1/metrics`, METRICS)).status).toBe(200);
      await until("the first try", 10_000, async () => (got.length > 0 ? true : undefined));
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(got.length).toBe(1);
    });
  });
});

describe("Elasticsearch", () => {
  it("gets each document by create with a name of its own, as NDJSON with a last line", async () => {
    answer = (_request, response) => void response.end('{"errors":false,"items":[]}');
    await withCollector(
      { sinks: { elasticsearch: { url, index: "ml", headers: { authorization: "ApiKey x" } } } },
      async (near) => {
        await post(`${near.url}/v1/logs?batch=${id(7)}`, LOGS);
        await until("the bulk request", 5_000, async () => got[0]);
        const [{ url: path, headers, text }] = got as [Got];
        expect(path).toBe("/_bulk?filter_path=errors,items.*.status");
        expect([headers["content-type"], headers.authorization]).toEqual(["application/x-ndjson", "ApiKey x"]);
        expect(text.endsWith("\n")).toBe(true);
        const lines = text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
        expect(lines).toHaveLength(6);
        expect(lines[0]).toEqual({ create: { _index: "ml", _id: `${id(7)}-0` } });
        expect(lines[1]).toMatchObject({
          "event.name": "ml.prediction",
          "ml.prediction.id": "a",
          "service.name": "shop",
        });
      },
    );
  });

  it("has only those sent again that it was too busy for; a conflict is there already", {
    timeout: 30_000,
  }, async () => {
    answer = (_request, response, number) => {
      const statuses = number === 1 ? [201, 429, 400] : [409];
      response.end(JSON.stringify({ errors: true, items: statuses.map((status) => ({ create: { status } })) }));
    };
    await withCollector({ sinks: { elasticsearch: { url, index: "ml" } } }, async (near) => {
      await post(`${near.url}/v1/logs?batch=${id(8)}`, LOGS);
      await until("the second attempt", 20_000, async () =>
        (await figure(near.url, "insitu_collector_sink_elasticsearch_sent_total")) === 2 ? true : undefined,
      );
      expect(
        got[1]?.text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))[0],
      ).toEqual({ create: { _index: "ml", _id: `${id(8)}-1` } });
      expect(await figure(near.url, "insitu_collector_sink_elasticsearch_dropped_total")).toBe(1);
    });
  });
});

describe("Splunk", () => {
  it("gets events with their time and its token", async () => {
    answer = (_request, response) => void response.end('{"text":"Success","code":0}');
    await withCollector({ sinks: { splunk: { url, token: "t" } } }, async (near) => {
      await post(`${near.url}/v1/logs`, LOGS);
      await post(`${near.url}/v1/metrics`, METRICS);
      await until("both", 5_000, async () => (got.length === 2 ? true : undefined));
      expect([got[0]?.url, got[0]?.headers.authorization]).toEqual(["/services/collector/event", "Splunk t"]);
      const first = JSON.parse(got[0]?.text.split("\n")[0] ?? "");
      expect(first).toMatchObject({
        source: "insitu",
        event: { "event.name": "ml.prediction", "ml.prediction.id": "a" },
      });
      expect(Math.abs(first.time - Date.now() / 1000)).toBeLessThan(60);
      expect(JSON.parse(got[1]?.text ?? "")).toMatchObject({
        event: { metric: "ml.errors", value: 2, "error.type": "timeout" },
      });
    });
  });

  it("is not asked again with what it refused", async () => {
    answer = (_request, response) => void response.writeHead(403).end('{"text":"Invalid token","code":4}');
    await withCollector({ sinks: { splunk: { url, token: "t" } } }, async (near) => {
      await post(`${near.url}/v1/logs`, LOGS);
      await until("the refusal", 5_000, async () =>
        (await figure(near.url, "insitu_collector_sink_splunk_dropped_total")) === 3 ? true : undefined,
      );
      expect(got).toHaveLength(1);
    });
  });
});

it.each([
  [["--splunk", "http://x"], "--splunk-token"],
  [["--forward-otlp", "nowhere"], "is not an http(s) URL"],
  [["--forward-header", "x"], "name=value"],
])("the command refuses %j", (args, message) => {
  const { status, stderr } = command("--port", "0", "--data", ":memory:", ...args);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
});
