// A real Prometheus scrapes a real collector, and PromQL gives the counts and quantiles that were sent.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Collector, startCollector } from "../src/index.js";
import { counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { end, post, prometheusTool, temporaryFolder, until } from "./support/run.js";

const READ = "read-token";
const folder = temporaryFolder();
let collector: Collector;
let prometheus: ChildProcess;
let api: string;

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** A PromQL query's one value. */
async function query(promql: string): Promise<number | undefined> {
  const answer = await fetch(`${api}/api/v1/query?query=${encodeURIComponent(promql)}`).catch(() => undefined);
  if (!answer?.ok) return undefined;
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  expect(data.result.length, promql).toBeLessThanOrEqual(1);
  const value = data.result[0]?.value[1];
  return value === undefined ? undefined : Number(value);
}

beforeAll(async () => {
  collector = await startCollector({ port: 0, data: join(folder.path, "telemetry.db"), readToken: READ });
  const port = await freePort();
  api = `http://127.0.0.1:${port}`;
  const config = join(folder.path, "prometheus.yml");
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: ml-collector
    honor_timestamps: false
    authorization: { credentials: ${READ} }
    static_configs: [{ targets: ["127.0.0.1:${collector.port}"] }]
`,
  );
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder.path, "tsdb")}`];
  prometheus = spawn(prometheusTool("prometheus"), [...args, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: "ignore",
  });
});

afterAll(async () => {
  if (prometheus) await end(prometheus, "SIGKILL");
  await collector?.close();
  folder.remove();
});

it("gives the counts and quantiles that were sent", async () => {
  const digits = { "ml.model.name": "digits", "ml.runtime.backend": "wasm" };
  // 50 in the bucket (0.005, 0.01] and 50 in (0.01, 0.02], over ten batches as pages send them.
  for (let batch = 0; batch < 10; batch++) {
    const values = Array.from({ length: 10 }, (_, i) => (i % 2 ? 0.008 : 0.016));
    const slow = histogramPoint([99], { ...digits, "ml.runtime.backend": "cpu" });
    const failed = counterPoint("3", { "error.type": "timeout" });
    const body = metricsBody([histogram([histogramPoint(values, digits), slow]), counter([failed])]);
    const response = await post(`${collector.url}/v1/metrics`, body);
    expect([response.status, await response.json()]).toEqual([200, {}]);
  }

  const wasm = '{ml_model_name="digits",ml_runtime_backend="wasm",service_name="shop"}';
  const duration = "ml_inference_duration_seconds";
  const counted = await until("the scrape", 30_000, async () => {
    const seen = await query(`${duration}_count${wasm}`);
    return seen === 100 ? seen : undefined;
  });
  expect(counted).toBe(100);
  expect(await query('up{job="ml-collector"}')).toBe(1);
  expect(await query(`sum(${duration}_count)`)).toBe(110);
  expect(await query(`${duration}_sum${wasm}`)).toBeCloseTo(50 * 0.008 + 50 * 0.016, 9);
  expect(await query('ml_errors_total{error_type="timeout"}')).toBe(30);
  const quantile = (q: number) => query(`histogram_quantile(${q}, sum by (le) (${duration}_bucket${wasm}))`);
  // Prometheus interpolates within a bucket: half of the first one, its end, nine tenths of the second one.
  expect(await quantile(0.25)).toBeCloseTo(0.0075, 9);
  expect(await quantile(0.5)).toBeCloseTo(0.01, 9);
  expect(await quantile(0.95)).toBeCloseTo(0.019, 9);
  // Beyond the last bound there is only the last bound to tell.
  expect(await query(`histogram_quantile(0.5, ${duration}_bucket{ml_runtime_backend="cpu"})`)).toBe(10.24);
});

it("answers what promtool accepts, to whoever has the token", async () => {
  expect((await fetch(`${collector.url}/metrics`)).status).toBe(401);
  const answer = await fetch(`${collector.url}/metrics`, { headers: { authorization: `Bearer ${READ}` } });
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const input = await answer.text();
  expect(input).toContain("ml_inference_duration_seconds_bucket");
  const checked = spawnSync(prometheusTool("promtool"), ["check", "metrics"], { input, encoding: "utf8" });
  expect(checked).toMatchObject({ status: 0, stderr: "", stdout: "" });
});
