// A damaged database or write-ahead log: it is told which file it is, what to do, and how much was lost; nothing is silently wrong.
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startCollector } from "../src/index.js";
import { counter, counterPoint, metricsBody } from "./support/otlp.js";
import { end, figure, post, startCommand, temporaryFolder } from "./support/run.js";

const folder = temporaryFolder();
const original = join(folder.path, "original.db");
const data = join(folder.path, "copy.db");
const SENT = 20;
const BODY = metricsBody([counter([counterPoint("1", {})])]);
const ERRORS = 'ml_errors_total{service_name="shop"}';
const SUFFIXES = ["", ".wal", ".requests"];

// Killed, so that what it stored is in the log.
beforeAll(async () => {
  const { url, child } = await startCommand("--port", "0", "--data", original);
  for (let i = 0; i < SENT; i += 1) expect((await post(`${url}/v1/metrics`, BODY)).status).toBe(200);
  await end(child, "SIGKILL");
});
afterAll(() => folder.remove());

function copy(): void {
  for (const suffix of SUFFIXES) copyFileSync(`${original}${suffix}`, `${data}${suffix}`);
}

function change(file: string, work: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  work(bytes);
  writeFileSync(file, bytes);
}

it("opens what a kill left behind, with all that was acknowledged", async () => {
  copy();
  const { url, close } = await startCollector({ port: 0, data });
  expect(await figure(url, ERRORS)).toBe(SENT);
  expect(await figure(url, "insitu_collector_lost_requests")).toBe(0);
  await close();
});

describe("a log", () => {
  const log = `${data}.wal`;
  it.each<[string, () => void]>([
    [
      "with a byte changed in the middle",
      () => change(log, (bytes) => bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 255, bytes.length >> 1)),
    ],
    [
      "with a byte changed at the end",
      () => change(log, (bytes) => bytes.writeUInt8(bytes.readUInt8(bytes.length - 6) ^ 255, bytes.length - 6)),
    ],
    ["with a byte changed at the start", () => change(log, (bytes) => bytes.writeUInt8(255, 0))],
    ["with zeros in its second half", () => change(log, (bytes) => bytes.fill(0, bytes.length >> 1))],
    ["that is text", () => writeFileSync(log, "no log at all ".repeat(500))],
    ["of three bytes", () => truncateSync(log, 3)],
  ])("%s is refused: which file, and what to do; moved away, it says what is lost", async (_name, damage) => {
    copy();
    damage();
    await expect(startCollector({ port: 0, data })).rejects.toThrow(`The write-ahead log ${log} is damaged. Restore`);
    renameSync(log, `${log}.damaged`);
    await expectLoss(0);
  });

  it.each<[string, number]>([
    ["cut in the middle", 0.5],
    ["cut to its first tenth", 0.1],
    ["cut to nothing", 0],
  ])("%s opens, and it is told how much is lost", async (_name, part) => {
    copy();
    const length = readFileSync(log).length;
    truncateSync(log, Math.floor(length * part));
    await expectLoss();
  });

  it("that is missing is noticed", async () => {
    copy();
    rmSync(log);
    await expectLoss(0);
  });
});

/** Opens it: what is there and what is said to be lost are together what was sent. Then it works, and nothing is lost any more. */
async function expectLoss(present?: number): Promise<void> {
  const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const { url, close } = await startCollector({ port: 0, data });
  const found = (await figure(url, ERRORS)) ?? 0;
  const lost = SENT - found;
  expect(lost).toBeGreaterThan(0);
  if (present !== undefined) expect(found).toBe(present);
  expect(await figure(url, "insitu_collector_lost_requests")).toBe(lost);
  expect(said.mock.calls[0]?.[0]).toContain(`${data} has lost ${lost} requests`);
  expect((await post(`${url}/v1/metrics`, BODY)).status).toBe(200);
  await close();
  said.mockRestore();
  const again = await startCollector({ port: 0, data });
  expect(await figure(again.url, ERRORS)).toBe(found + 1);
  expect(await figure(again.url, "insitu_collector_lost_requests")).toBe(0);
  await again.close();
}

/** What a collector counts after 64 bytes were changed, at each fourth of the places. */
async function sumsOf(turn: number, places: readonly number[], whole: Buffer): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const at of places.filter((_, i) => i % 4 === turn)) {
    const file = join(folder.path, `changed-${at}.db`);
    const bytes = Buffer.from(whole);
    for (let i = at; i < Math.min(at + 64, bytes.length); i += 1) bytes[i] = (bytes[i] ?? 0) ^ 255;
    writeFileSync(file, bytes);
    const collector = await startCollector({ port: 0, data: file }).catch((error: Error) => {
      expect(error.message).toContain(`${file} is damaged, or is no database. Restore`);
    });
    if (collector) expect(await figure(collector.url, ERRORS)).toBe(SENT);
    found.push(collector ? SENT : "refused");
    await collector?.close();
  }
  return found;
}

describe("a database", () => {
  it("with changed bytes is refused, wherever they are, or has all its sums", { timeout: 120_000 }, async () => {
    copy();
    await (await startCollector({ port: 0, data })).close();
    expect(existsSync(`${data}.wal`)).toBe(false);
    const whole = readFileSync(data);
    const places = Array.from({ length: 24 }, (_, i) => 64 + Math.floor((i * whole.length) / 24));
    const results = await Promise.all([0, 1, 2, 3].map((turn) => sumsOf(turn, places, whole)));
    const refused = results.flat().filter((sum) => sum === "refused").length;
    expect(refused).toBeGreaterThan(0);
  });

  it.each<[string, number]>([
    ["cut in half", 0.5],
    ["cut to a few bytes", 0.0001],
  ])("%s is refused", async (_name, part) => {
    copy();
    await (await startCollector({ port: 0, data })).close();
    truncateSync(data, Math.floor(readFileSync(data).length * part));
    await expect(startCollector({ port: 0, data })).rejects.toThrow(`Cannot use the database ${data}`);
  });
});
