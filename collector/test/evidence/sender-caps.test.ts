// How much one sender may add in a day: also across restarts and kills, without anything by which a sender could be followed.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Evidence } from "../../src/evidence/evidence.js";
import { startCollector } from "../../src/index.js";
import type { Decision } from "../../src/rollout/decision-types.js";
import { openStore } from "../../src/store.js";
import { end, startCommand, temporaryFolder } from "../support/run.js";
import { addressOf, range, say, sayAll } from "../support/senders.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const STABLE = { version: "1.0.0", arm: "stable" };
const CANARY = { version: "1.1.0", arm: "canary" };
const DAY = 24 * 3_600_000;
/** Noon, so that no hour of a test is another day. */
const NOON = Math.floor(Date.now() / DAY) * DAY + DAY / 2;

/** The candidate's outcomes that count. */
async function counted(url: string): Promise<number | undefined> {
  const answer = await fetch(`${url}/v1/rollouts/digits`);
  const { evidence } = (await answer.json()) as Decision;
  return evidence.find(({ metric }) => metric === "accuracy")?.candidate.n;
}

async function start(data: string, now = () => NOON) {
  return startCollector({ port: 0, data, trustProxy: 1, readCache: 0, now });
}

describe("the limit of one sender", () => {
  it("holds for the day, across restarts, and begins anew on the next day", async () => {
    const data = join(folder.path, "restart.db");
    let now = NOON;
    const clock = () => now;
    const first = await start(data, clock);
    await sayAll(first.url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
    await say(first.url, 777, { ...CANARY, incorrect: 40 });
    await say(first.url, 778, { ...CANARY, incorrect: 5 });
    await first.close();
    for (const _ of range(0, 3)) {
      const again = await start(data, clock);
      await say(again.url, 777, { ...CANARY, incorrect: 1_000 });
      expect(await counted(again.url)).toBe(55);
      await again.close();
    }
    const last = await start(data, clock);
    await say(last.url, 778, { ...CANARY, incorrect: 5 });
    expect(await counted(last.url)).toBe(60);
    now += DAY;
    await sayAll(last.url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
    await say(last.url, 777, { ...CANARY, incorrect: 1_000 });
    expect(await counted(last.url)).toBe(110);
    await last.close();
  });

  it("holds after a kill as far as its values were written", async () => {
    const data = join(folder.path, "killed.db");
    const args = ["--port", "0", "--data", data, "--trust-proxy", "1"];
    const first = await startCommand(...args);
    await sayAll(first.url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
    await say(first.url, 777, { ...CANARY, incorrect: 30 });
    // Read, and so written.
    expect(await counted(first.url)).toBe(30);
    await say(first.url, 777, { ...CANARY, incorrect: 10 });
    await end(first.child, "SIGKILL");
    const second = await startCommand(...args);
    // The ten are lost, in the sums and in the limit.
    expect(await counted(second.url)).toBe(30);
    await say(second.url, 777, { ...CANARY, incorrect: 1_000 });
    expect(await counted(second.url)).toBe(50);
    await end(second.child, "SIGTERM");
  });

  it("begins anew, without an error, when the day's key is damaged", async () => {
    const data = join(folder.path, "damaged.db");
    const first = await start(data);
    await sayAll(first.url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
    await say(first.url, 777, { ...CANARY, incorrect: 50 });
    await first.close();
    for (const text of ["", "{}", '{"day":1e99,"key":"x"}', "\0"]) {
      writeFileSync(`${data}.day-key`, text);
      const again = await start(data);
      expect(await counted(again.url)).toBe(50);
      await again.close();
    }
  });
});

describe("what is kept of a sender", () => {
  it("is a hash whose key is beside the database, and both are deleted when the day has ended", async () => {
    const data = join(folder.path, "kept.db");
    const first = await start(data);
    await sayAll(first.url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
    await first.close();
    const { key } = JSON.parse(readFileSync(`${data}.day-key`, "utf8")) as { key: string };
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    if (process.platform !== "win32") expect(statSync(`${data}.day-key`).mode & 0o077).toBe(0);
    const bytes = readFileSync(data);
    for (const secret of [addressOf(3), key, Buffer.from(key, "hex")]) expect(bytes.includes(secret)).toBe(false);
    const rows = async (now: number) => {
      const store = await openStore(data, { now: () => now });
      const read = await store.read((connection) => connection.runAndReadAll("SELECT count(*) FROM evidence_senders"));
      await store.close();
      return Number(read.getRows()[0]?.[0]);
    };
    expect(await rows(NOON)).toBe(20);
    expect(await rows(NOON + DAY)).toBe(0);
    expect(existsSync(`${data}.day-key`)).toBe(false);
  });

  it("is deleted while the collector runs, also when nobody sends any more", async () => {
    const data = join(folder.path, "silent.db");
    let now = NOON;
    const evidence = new Evidence();
    const store = await openStore(data, { evidence, now: () => now });
    const cell = { model: "m", version: "1", arm: "stable", subject: "outcomes", detail: "", trusted: false } as const;
    evidence.add([{ cell, counts: [1, 0] }], "10.0.0.1", now);
    await store.forget(0);
    expect(existsSync(`${data}.day-key`)).toBe(true);
    now += DAY;
    await store.forget(0);
    expect(existsSync(`${data}.day-key`)).toBe(false);
    await store.close();
  });
});
