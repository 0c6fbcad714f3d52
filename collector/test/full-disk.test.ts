// A disk that is full: the collector says that it is not ready, loses nothing that it acknowledged, and recovers by itself.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLastingStore } from "../src/lasting-store.js";
import { counter, counterPoint, metricsBody } from "./support/otlp.js";
import { end, figure, post, type Running, startCommand, temporaryFolder, until } from "./support/run.js";

const GOOD = metricsBody([counter([counterPoint("1", { "error.type": "timeout" })])]);
const LINE = 'ml_errors_total{error_type="timeout",service_name="shop"}';
const MB = 1024 * 1024;

// Only root can make a small disk of its own.
describe.skipIf(process.getuid?.() !== 0)("on a disk of its own", () => {
  const folder = temporaryFolder();
  const disk = join(folder.path, "disk");
  const ballast = join(disk, "ballast");
  let running: Running | undefined;

  beforeEach(() => {
    mkdirSync(disk, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=100m", "tmpfs", disk]);
  });
  afterEach(async () => {
    if (running) await end(running.child, "SIGKILL");
    execFileSync("umount", ["--lazy", disk]);
    folder.remove();
  });

  it("readyz and requests fail while the disk is nearly full, and are answered when it is not", {
    timeout: 120_000,
  }, async () => {
    running = await startCommand("--port", "0", "--data", join(disk, "x.db"));
    const { url, child } = running;
    const isReady = async () => {
      const { status } = await fetch(`${url}/readyz`);
      expect([200, 503]).toContain(status);
      return status === 200;
    };
    for (let i = 0; i < 2; i += 1) expect((await post(`${url}/v1/metrics`, GOOD)).status).toBe(200);
    expect(await isReady()).toBe(true);
    writeFileSync(ballast, Buffer.alloc(60 * MB));
    await until("it to fail", 20_000, async () => ((await isReady()) ? undefined : true));
    const refused = await post(`${url}/v1/metrics`, GOOD);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(running.output()).toContain("is full");
    rmSync(ballast);
    await until("it to be ready", 20_000, async () => ((await isReady()) ? true : undefined));
    expect((await post(`${url}/v1/metrics`, GOOD)).status).toBe(200);
    expect(await figure(url, LINE)).toBe(3);
    expect(await end(child, "SIGTERM")).toBe(0);
  });

  it("a checkpoint that finds no room ends nothing for good, and nothing is counted twice", {
    timeout: 120_000,
  }, async () => {
    writeFileSync(ballast, Buffer.alloc(81 * MB));
    // Without a reserve, so that the database runs into the end of the disk.
    const store = await openLastingStore(join(disk, "x.db"), 0);
    const hex = () => Array.from({ length: 20 }, () => Math.random().toString(16).slice(2, 14)).join("");
    const event = () => ({ time: Date.now(), name: "x", severity: 9, body: hex(), attributes: [], resource: [] });
    const point = {
      metric: { name: "ml.errors", kind: "counter" as const, unit: "{error}", description: "", bounds: [] },
      attributes: [],
      time: Date.now(),
      amount: { count: 0, sum: 1, buckets: [] },
    };
    const batches = Array.from({ length: 200 }, (_, i) => ({
      id: i.toString(16).padStart(32, "0"),
      // Of this series only the first batch speaks: see disk-room.ts for what a replaced row does here.
      points: i === 0 ? [point] : [],
      events: Array.from({ length: 900 }, event),
    }));
    const first = await Promise.allSettled(batches.map((batch) => store.append(batch)));
    const failed = first.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    expect(failed.length).toBeGreaterThan(0);
    rmSync(ballast);
    await until("it to be written", 20_000, () =>
      store.check().then(
        () => true as const,
        () => undefined,
      ),
    );
    for (const batch of batches) await store.append(batch);
    for (const batch of batches) expect((await store.append(batch)).isRepeated).toBe(true);
    expect(store.series().map(({ total }) => total.sum)).toEqual([1]);
    await store.close();
  });
});
