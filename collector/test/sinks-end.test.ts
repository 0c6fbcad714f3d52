// What happens to what waits for a sink when the collector ends: it is sent, or kept for the next start. Each test waits for ten seconds.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { counter, counterPoint, metricsBody } from "./support/otlp.js";
import { type Receiver, startReceiver } from "./support/receiver.js";
import { end, figure, post, startCommand, temporaryFolder, until, withCollector } from "./support/run.js";

const METRICS = metricsBody([counter([counterPoint("2", { "error.type": "timeout" })])]);
const id = (n: number) => n.toString(16).padStart(32, "0");

const sinks: Receiver[] = [];
async function startSink(): Promise<Receiver> {
  const sink = await startReceiver();
  sinks.push(sink);
  return sink;
}
afterAll(() => Promise.all(sinks.map((sink) => sink.close())));

describe.concurrent("the end", { timeout: 60_000 }, () => {
  it("sends what waits for a sink that asked for an hour", async ({ expect }) => {
    const sink = await startSink();
    sink.answer = (response, number) =>
      number === 1 ? response.writeHead(503, { "retry-after": "3600" }).end() : response.end("{}");
    await withCollector({ sinks: { otlp: { url: sink.origin } } }, async (near) => {
      for (let i = 0; i < 3; i += 1) await post(`${near.url}/v1/metrics?batch=${id(i)}`, METRICS);
      await until("the first attempt", 10_000, async () => sink.got[0]);
    });
    expect(sink.got).toHaveLength(4);
    expect(new Set(sink.got.map(({ path }) => path)).size).toBe(3);
  });

  it.for<[string, Receiver["answer"]]>([
    ["asks for an hour", (response) => void response.writeHead(503, { "retry-after": "3600" }).end()],
    ["fails", (response) => void response.writeHead(500).end()],
    ["never answers", () => undefined],
    ["sends to another host", (response) => void response.writeHead(307, { location: "http://127.0.0.1:9" }).end()],
  ])("by SIGTERM keeps what a sink that %s did not get, and the next start sends it", async ([, down], { expect }) => {
    const sink = await startSink();
    const folder = temporaryFolder();
    const args = ["--port", "0", "--data", join(folder.path, "x.db"), "--forward-otlp", sink.origin];
    const kept = join(folder.path, "x.db.otlp.queue");
    sink.answer = down;
    const first = await startCommand(...args);
    for (let i = 0; i < 3; i += 1) await post(`${first.url}/v1/metrics?batch=${id(i)}`, METRICS);
    expect(await end(first.child, "SIGTERM")).toBe(0);
    expect(first.output()).toContain(`3 records could not be sent to otlp; the next start sends them from ${kept}`);

    sink.got.length = 0;
    sink.answer = (response) => void response.end("{}");
    const second = await startCommand(...args);
    await until("the three", 10_000, async () => (sink.got.length === 3 ? true : undefined));
    expect(new Set(sink.got.map(({ path }) => path)).size).toBe(3);
    expect(await figure(second.url, "insitu_collector_sink_otlp_restored_total")).toBe(3);
    expect(await end(second.child, "SIGTERM")).toBe(0);
    expect(existsSync(kept)).toBe(false);
    folder.remove();
  });

  it("that waits for a sink that hangs does not keep the collector from closing", async ({ expect }) => {
    const sink = await startSink();
    sink.answer = () => undefined;
    const started = performance.now();
    await withCollector(
      { sinks: { otlp: { url: sink.origin } } },
      async (near) => void (await post(`${near.url}/v1/metrics`, METRICS)),
    );
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});
