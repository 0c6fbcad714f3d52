// Retraining across kills, restarts and clocks: what was committed is delivered, once more rather than never, with the same id.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLastingStore } from "../src/lasting-store.js";
import { parseRetrain, type RetrainOptions } from "../src/retrain/config.js";
import { Retrain, type RetrainStatus } from "../src/retrain/retrain.js";
import { sendOutcomes } from "./support/outcomes.js";
import { type Receiver, startReceiver } from "./support/receiver.js";
import { end, startCommand, temporaryFolder, until, withCollector } from "./support/run.js";

const SECRET = "a secret of the operator";
let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const options = (given: object = {}, webhook: object = {}): RetrainOptions => ({
  checkEvery: 50,
  models: {
    digits: {
      webhook: { url: receiver.url, secret: SECRET, timeout: "10s", firstDelay: 50, maxDelay: 400, ...webhook },
      triggers: { labels: { count: 50 } },
      coolDown: "1h",
      ...given,
    },
  },
});

it("killed between commit and delivery: delivered by the next start, with the same id and body", async () => {
  const folder = temporaryFolder();
  const file = join(folder.path, "retrain.json");
  writeFileSync(file, JSON.stringify(options()));
  const start = () =>
    startCommand("--port", "0", "--data", join(folder.path, "t.db"), "--retrain", file, "--operator-token", "operator");
  // It never answers: the run is committed, its delivery is not.
  receiver.answer = () => undefined;
  let { child, url } = await start();
  try {
    await sendOutcomes(url, { correct: 50 });
    await until("the first attempt", 10_000, async () => receiver.got[0]);
    await end(child, "SIGKILL");
    receiver.answer = (response) => void response.end();
    ({ child, url } = await start());
    const runs = async () => ((await (await fetch(`${url}/v1/retrain`)).json()) as RetrainStatus[])[0]?.runs ?? [];
    const run = await until("the delivery", 10_000, async () => {
      const [first] = await runs();
      return first?.state === "sent" ? first : undefined;
    });
    expect(receiver.got.length).toBe(2);
    expect(receiver.got[1]?.text).toBe(receiver.got[0]?.text);
    expect(receiver.got[1]?.body.id).toBe(run.id);
    // Killed again after the delivery: it is not sent a third time, and the labels do not fire anew.
    await end(child, "SIGKILL");
    ({ child, url } = await start());
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await runs()).map(({ id, state }) => [id, state])).toEqual([[run.id, "sent"]]);
    expect(receiver.got.length).toBe(2);
  } finally {
    await end(child, "SIGKILL");
    folder.remove();
  }
});

it("a collector that closes in the middle of an attempt leaves it to the next one", async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "t.db");
  receiver.answer = () => undefined;
  await withCollector({ data, retrain: options() }, async ({ url }) => {
    await sendOutcomes(url, { correct: 50 });
    await until("the first attempt", 10_000, async () => receiver.got[0]);
  });
  receiver.answer = (response) => void response.end();
  await withCollector({ data, retrain: options() }, async () => {
    await until("the delivery", 10_000, async () => receiver.got[1]);
    expect(receiver.got[1]?.text).toBe(receiver.got[0]?.text);
  });
  folder.remove();
});

it("hysteresis: low accuracy fires once, and again only after it had recovered", async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "t.db");
  const HOUR = 3_600_000;
  const accuracy = { baseline: 0.95, delta: 0.05, window: "1h", windows: 3, minLabels: 50 };
  const start = Math.floor(Date.now() / HOUR) * HOUR - 20 * HOUR;
  /** An hour's labels for each letter: good or bad. */
  const send = async (hours: string, from: number) =>
    withCollector({ data }, async ({ url }) => {
      for (const [i, hour] of [...hours].entries()) {
        const correct = hour === "g" ? 95 : 60;
        await sendOutcomes(url, { correct, incorrect: 100 - correct, time: start + (from + i) * HOUR + 60_000 });
      }
    });
  await send("gbbbbbbggbbb", 0);
  const store = await openLastingStore(data);
  let now = start;
  const config = parseRetrain(options({ triggers: { accuracy }, coolDown: 0 }));
  const retrain = await Retrain.open({ store, config, now: () => now });
  const fired: number[] = [];
  for (let hour = 1; hour <= 12; hour += 1) {
    now = start + hour * HOUR;
    await retrain.check();
    const [status] = retrain.status();
    for (const { id, firedAt, state } of status?.runs ?? []) {
      if (!fired.includes(firedAt)) fired.push(firedAt);
      if (state !== "done") await retrain.report(id, { state: "done" });
    }
  }
  // After hours 1 to 3 (b b b), and after 9 to 11, since 7 and 8 were good.
  expect(fired.map((at) => (at - start) / HOUR)).toEqual([4, 12]);
  await retrain.close();
  await store.close();
  folder.remove();
});

it("a clock that was years ahead neither stops deliveries nor cools down for years", async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "t.db");
  await withCollector({ data }, ({ url }) => sendOutcomes(url, { correct: 50 }));
  const store = await openLastingStore(data);
  const YEARS = 10 * 365 * 86_400_000;
  let ahead = 0;
  receiver.answer = (response) => void response.writeHead(500).end();
  const config = parseRetrain(options({ coolDown: 300 }));
  const retrain = await Retrain.open({ store, config, now: () => Date.now() + ahead });
  const runs = () => retrain.status()[0]?.runs ?? [];
  try {
    retrain.start();
    await until("a failed attempt", 10_000, async () => runs()[0]?.attempts[0]);
    const before = receiver.got.length;
    ahead = YEARS;
    await retrain.check();
    ahead = 0;
    receiver.answer = (response) => void response.end();
    const run = await until("the delivery", 10_000, async () => (runs()[0]?.state === "sent" ? runs()[0] : undefined));
    expect(receiver.got.length).toBeGreaterThan(before);
    ahead = YEARS;
    await retrain.report(run.id, { state: "failed" });
    ahead = 0;
    await until("the next run", 10_000, async () => (runs().length === 2 ? true : undefined));
    expect(Math.abs((runs()[0]?.firedAt ?? 0) - Date.now())).toBeLessThan(10_000);
  } finally {
    await retrain.close();
    await store.close();
    folder.remove();
  }
});

it("two triggers at once are one run that names both; outcomes alone tell the version", async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "t.db");
  const confidences = Array.from({ length: 200 }, () => 0.5);
  await withCollector({ data }, async ({ url }) => {
    await sendOutcomes(url, { version: "2.0.0", correct: 299, hasItems: false });
    await sendOutcomes(url, { version: "2.0.0", correct: 1, hasItems: false, confidences });
  });
  const store = await openLastingStore(data);
  const triggers = { labels: { count: 300 }, estimate: { floor: 0.9, window: "1h", windows: 1, minPredictions: 100 } };
  const config = parseRetrain(options({ triggers }));
  // The hour is complete then.
  const retrain = await Retrain.open({ store, config, now: () => Date.now() + 3_600_000 });
  await retrain.check();
  await retrain.check();
  const runs = retrain.status()[0]?.runs ?? [];
  expect(runs.map(({ trigger, version }) => [trigger, version])).toEqual([["estimate", "2.0.0"]]);
  expect(runs[0]?.evidence).toMatchObject({ floor: 0.9, also: [{ trigger: "labels", labels: 300, count: 300 }] });
  await until("the webhook", 10_000, async () => receiver.got[0]);
  expect(receiver.got[0]?.body.evidence.also).toHaveLength(1);
  await retrain.close();
  await store.close();
  folder.remove();
});
