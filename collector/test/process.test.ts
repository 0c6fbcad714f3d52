// The command as a process: its help, its exit codes, and that no acknowledged point is lost when it ends or is killed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import { startCollector } from "../src/index.js";
import { counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { command, end, figure, post, type Running, startCommand, temporaryFolder } from "./support/run.js";

const BODY = metricsBody([
  counter([counterPoint("2", { "error.type": "timeout" })]),
  histogram([histogramPoint([0.003, 7], { "ml.model.name": "digits" })]),
]);
const ERRORS = 'ml_errors_total{error_type="timeout",service_name="shop"}';
const BUCKET = 'ml_inference_duration_seconds_bucket{ml_model_name="digits",service_name="shop",le="0.005"}';

const folder = temporaryFolder();
const started: Running[] = [];
afterAll(async () => {
  for (const { child } of started) await end(child, "SIGKILL");
  folder.remove();
});

async function start(data: string, ...args: string[]): Promise<Running> {
  const running = await startCommand("--port", "0", "--data", data, ...args);
  started.push(running);
  return running;
}

it("prints its help and version", () => {
  const help = command("--help");
  expect(help.status).toBe(0);
  for (const option of [
    "--port",
    "--host",
    "--data",
    "--write-key",
    "--read-token",
    "--allow-origin",
    "--rate",
    "--keep-days",
    "--min-batches",
  ])
    expect(help.stdout).toContain(option);
  expect(command("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it.each([
  [["--port", "many"], "from 0 to 65535"],
  [["--port", "70000"], "from 0 to 65535"],
  [["--nonsense"], "unknown option"],
  [["--data", "/no/such/folder/x.db"], "Cannot use the database /no/such/folder/x.db"],
  [["--allow-origin", "shop"], '"shop" is not an origin'],
])("ends with 1 and says why for %j", (args, message) => {
  const { status, stderr } = command("--port", "0", "--data", ":memory:", ...args);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
});

describe.each(["SIGTERM", "SIGINT", "SIGKILL"] as const)("ended by %s", (signal) => {
  it("has every sum again after the next start", async () => {
    const data = join(folder.path, `${signal}.db`);
    const first = await start(data);
    for (let i = 0; i < 5; i++) expect((await post(`${first.url}/v1/metrics`, BODY)).status).toBe(200);
    expect(await end(first.child, signal)).toBe(signal === "SIGKILL" ? null : 0);
    const second = await start(data);
    expect(await figure(second.url, ERRORS)).toBe(10);
    expect(await figure(second.url, BUCKET)).toBe(5);
    expect((await post(`${second.url}/v1/metrics`, BODY)).status).toBe(200);
    expect(await figure(second.url, ERRORS)).toBe(12);
    expect(await end(second.child, "SIGTERM")).toBe(0);
  });
});

it("answers what is in flight before it ends", async () => {
  const data = join(folder.path, "flight.db");
  const running = await start(data);
  const posts = Array.from({ length: 50 }, () => post(`${running.url}/v1/metrics`, BODY));
  const answers = Promise.allSettled(posts);
  await Promise.any(posts);
  expect(await end(running.child, "SIGTERM")).toBe(0);
  const taken = (await answers).filter((one) => one.status === "fulfilled" && one.value.status === 200).length;
  const again = await start(data);
  expect(taken).toBeGreaterThan(0);
  expect(await figure(again.url, ERRORS)).toBe(2 * taken);
});

it("says who has the file and who has the port", async () => {
  const data = join(folder.path, "busy.db");
  const { url } = await start(data);
  await expect(startCollector({ port: 0, data })).rejects.toThrow("Another collector has it open");
  const port = Number(new URL(url).port);
  await expect(startCollector({ port, data: ":memory:" })).rejects.toThrow(`Port ${port} of 127.0.0.1 is taken`);
});

it("refuses a file that is no database, and one that a newer collector wrote", async () => {
  const text = join(folder.path, "text.db");
  writeFileSync(text, "hello, I am a letter\n".repeat(1000));
  await expect(startCollector({ port: 0, data: text })).rejects.toThrow(`Cannot use the database ${text}`);

  const newer = join(folder.path, "newer.db");
  await (await startCollector({ port: 0, data: newer })).close();
  const instance = await DuckDBInstance.create(newer);
  const connection = await instance.connect();
  await connection.run("INSERT INTO schema_migrations VALUES (999, now()::TIMESTAMP)");
  connection.closeSync();
  instance.closeSync();
  await expect(startCollector({ port: 0, data: newer })).rejects.toThrow("update insitu-collector");
});
