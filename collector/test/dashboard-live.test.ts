// A real collector, filled over HTTP as pages, a site's server and an operator fill it, shows everything in the real dashboard in Chromium.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Chromium, launchChromium } from "../../test/support/chromium.js";
import type { ChannelChange, Retraining } from "../dashboard/rollout/data.js";
import type { DriftReport } from "../src/drift/drift-types.js";
import type { Report } from "../src/report-types.js";
import type { RetrainStatus } from "../src/retrain/retrain.js";
import type { ChannelChange as ServedChange } from "../src/rollout/channels.js";
import type { Decision } from "../src/rollout/decision-types.js";
import { expectPageShows, panel, textsOf } from "./support/dashboard-page.js";
import { counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { randomOf } from "./support/random.js";
import { startReceiver } from "./support/receiver.js";
import { post, until, withCollector } from "./support/run.js";
import { addressOf, metricsOf, range, type Said, say } from "./support/senders.js";

// What the dashboard reads is what the routes respond.
const readsRetrain: (served: RetrainStatus) => Retraining = (served) => served;
const readsChange: (served: ServedChange) => ChannelChange = (served) => served;

const OPERATOR = { authorization: "Bearer operator", "x-insitu-by": "ci@example.org" };
const READ = { authorization: "Bearer reader" };
const STABLE = { version: "1.0.0", arm: "stable" };
const CANARY = { version: "1.1.0", arm: "canary" };
const SHADOW = { version: "1.2.0-rc.1", arm: "shadow" };

let chromium: Chromium;
beforeAll(async () => {
  chromium = await launchChromium();
});
afterAll(() => chromium.close());

/** A page's batch: what `say` sends, with the items that make it visible, and what the page did with the channel. */
async function sendPage(url: string, sender: number, said: Said, more: object[] = []): Promise<void> {
  const of = { "ml.model.name": "digits", "ml.model.version": said.version, "ml.rollout.arm": said.arm };
  const run = { ...of, "ml.runtime.backend": "wasm", "ml.inference.mode": "online" };
  const items = counterPoint(String((said.durations ?? []).length + 1), run);
  const metrics = [
    ...metricsOf({ ...said, attributes: said.arm === "shadow" ? {} : { "ml.runtime.backend": "wasm" } }),
    ...(said.arm === "shadow" ? [] : [counter([items], { name: "ml.inference.items", unit: "{item}" })]),
    ...more,
  ];
  const answer = await post(`${url}/v1/metrics`, metricsBody(metrics), { "x-forwarded-for": addressOf(sender) });
  expect([answer.status, await answer.json()]).toEqual([200, {}]);
}

const decided = (of: Said, action: string, reason: string) =>
  counter(
    [
      counterPoint("1", {
        "ml.model.name": "digits",
        "ml.model.version": of.version,
        "ml.rollout.arm": of.arm,
        "ml.rollout.action": action,
        "ml.rollout.reason": reason,
      }),
    ],
    { name: "ml.rollout.decisions", unit: "{decision}" },
  );

function channel(release: number, canary: number): string {
  const arm = (version: string, role: string, weight: number) => ({
    package: `digits/${version}`,
    version,
    role,
    weight,
  });
  const arms = [arm("1.0.0", "stable", 100 - canary), arm("1.1.0", "canary", canary), arm("1.2.0-rc.1", "shadow", 0)];
  return JSON.stringify({ model: "digits", release, salt: "a", arms });
}

it("versions, decision, drift, shadow, rollbacks, the channel's changes and retraining", {
  timeout: 180_000,
}, async () => {
  const receiver = await startReceiver();
  const manifest = {
    name: "digits",
    version: "1.0.0",
    reference: { samples: 2000, features: [{ name: "image.brightness", edges: [], low: 0, high: 1, missing: 0 }] },
  };
  const retrain = {
    checkEvery: 100,
    models: {
      digits: {
        webhook: { url: receiver.url, secret: "a secret of the operator" },
        triggers: { labels: { count: 50 } },
      },
    },
  };
  const options = {
    trustProxy: 1,
    readToken: "reader",
    operatorToken: "operator",
    trustedKeys: ["ours"],
    minBatches: 1,
    rate: 10_000,
    retrain,
  };
  await withCollector(options, async ({ url }) => {
    const publish = async (body: string, headers: Record<string, string>) => {
      const answer = await fetch(`${url}/v1/channels/digits`, {
        method: "PUT",
        body,
        headers: { ...OPERATOR, ...headers },
      });
      expect(answer.status, await answer.clone().text()).toBe(200);
      return answer.headers.get("etag") ?? "";
    };
    const etag = await publish(channel(1, 0), { "if-none-match": "*", "x-insitu-why": "first release" });
    await publish(channel(2, 10), { "if-match": etag, "x-insitu-why": "one in ten" });
    await fetch(`${url}/v1/channels/digits/reference`, {
      method: "PUT",
      body: JSON.stringify(manifest),
      headers: OPERATOR,
    });
    const random = randomOf(7);
    for (const i of range(0, 60)) {
      const durations = range(0, 4).map(() => 0.004 + random.next() / 100);
      const inputs = { "image.brightness": range(0, 4).map(() => random.next() ** 3) };
      await sendPage(url, i, { ...STABLE, durations, inputs, correct: 9, incorrect: 1 });
    }
    for (const i of range(100, 130)) {
      const durations = range(0, 4).map(() => 0.008 + random.next() / 100);
      await sendPage(url, i, { ...CANARY, durations, correct: 6, incorrect: 4 }, [
        decided(CANARY, "assigned", "weight"),
        ...(i < 103 ? [decided(CANARY, "rolled_back", "latency")] : []),
      ]);
    }
    for (const i of range(200, 220)) await sendPage(url, i, { ...SHADOW, agree: 9, disagree: 1 });
    const detected = counterPoint("3", {
      "ml.model.name": "digits",
      "ml.model.version": "1.0.0",
      "ml.rollout.arm": "stable",
      "ml.drift.detector": "adwin",
      "ml.drift.target": "error",
    });
    await sendPage(url, 300, STABLE, [counter([detected], { name: "ml.drift.detections", unit: "{detection}" })]);
    expect(
      (await say(url, 999, { ...STABLE, correct: 900, incorrect: 100 }, { authorization: "Bearer ours" })).status,
    ).toBe(200);
    await until("the webhook", 20_000, async () => (receiver.got.length > 0 ? true : undefined));

    const asked = async <T>(path: string): Promise<T> => {
      const answer = await fetch(`${url}${path}`, { headers: READ });
      expect(answer.status, path).toBe(200);
      return (await answer.json()) as T;
    };
    const decision = await asked<Decision>("/v1/rollouts/digits");
    expect(decision.action).toBe("rollback");
    const [drift] = await asked<DriftReport[]>("/v1/drift?model=digits");
    const changes = (await asked<ServedChange[]>("/v1/channels/digits/history")).map(readsChange);
    const [status] = (await asked<RetrainStatus[]>("/v1/retrain")).map(readsRetrain);

    const page = await chromium.context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    const answered = page.waitForResponse(
      (response) => response.url().includes("/v1/report") && response.status() === 200,
    );
    await page.goto(`${url}/dashboard/`);
    await page.getByLabel("Read token").fill("reader");
    await page.keyboard.press("Enter");
    const report = (await (await answered).json()) as Report;
    await page.locator("#content[data-shows=figures]").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await expectPageShows(page, report);

    const versions = await textsOf(page, "Versions and arms");
    expect(versions.map(([version, arm]) => [version, arm])).toEqual([
      ["1.0.0", "stable"],
      ["1.1.0", "canary"],
    ]);
    expect(versions.map((row) => row[4])).toEqual(["240", "120"]);
    const compared = await textsOf(page, "Side by side");
    expect(compared.find(([measure, version]) => measure === "Accuracy" && version?.startsWith("1.1.0"))?.[2]).toMatch(
      /^60\.0 % \(/,
    );
    expect(await panel(page, "Decision").locator("strong").textContent()).toBe("Roll back");
    const evidence = await textsOf(page, "Evidence");
    expect(evidence).toHaveLength(decision.evidence.length);
    expect(evidence.filter(([, , verdict]) => verdict === "worse").length).toBeGreaterThan(0);
    expect((await textsOf(page, "Decisions so far"))[0]?.slice(1)).toEqual([
      "Roll back",
      decision.reason,
      "1.0.0",
      "1.1.0",
    ]);
    expect((await textsOf(page, "Shadow"))[0]?.slice(0, 3)).toEqual(["1.2.0-rc.1", "90.0 % (85.1–93.4 %)", "200"]);
    expect(await textsOf(page, "Rolled back by pages")).toEqual([["latency", "1.1.0", "canary", "3"]]);
    expect(changes).toHaveLength(2);
    expect((await textsOf(page, "Channel")).map((row) => row.slice(1))).toEqual([
      ["2", "1.0.0 stable 90 %, 1.1.0 canary 10 %, 1.2.0-rc.1 shadow", "ci@example.org", "one in ten"],
      ["1", "1.0.0 stable 100 %, 1.1.0 canary 0 %, 1.2.0-rc.1 shadow", "ci@example.org", "first release"],
    ]);
    for (const title of ["Latency over time", "Traffic by arm"])
      expect(await panel(page, title).locator(".legend").textContent()).toContain("channel changed");
    const drifted = (await textsOf(page, "Drift by feature"))[0];
    expect([drifted?.[0], drifted?.at(-1)]).toEqual(["image.brightness", "digits 1.0.0 · stable"]);
    expect(drifted?.[1]).toMatch(/^drift since about /);
    await panel(page, "Both distributions").getByRole("button", { name: "Show as table" }).click();
    const current = (await textsOf(page, "Both distributions")).map((row) => Number.parseFloat(row[2] ?? ""));
    for (const [i, share] of (drift?.current ?? []).entries()) expect(current[i]).toBeCloseTo(share * 100, 0);
    expect(await textsOf(page, "Detected in pages")).toEqual([["adwin", "error", "3", "digits 1.0.0", "stable"]]);
    const log = await textsOf(page, "Retraining log");
    expect(log).toHaveLength(status?.runs.length ?? 0);
    expect(log[0]?.slice(1, 4)).toEqual(["digits", "1.0.0", "labels"]);
    expect(complaints).toEqual([]);
    await page.close();
  });
  await receiver.close();
});

it("without a channel, a profile or retraining each section says what is missing", { timeout: 60_000 }, async () => {
  await withCollector({ minBatches: 1 }, async ({ url }) => {
    const run = { "ml.model.name": "digits", "ml.model.version": "1.0.0", "ml.rollout.arm": "stable" };
    const items = counter([counterPoint("2", { ...run, "ml.runtime.backend": "wasm" })], {
      name: "ml.inference.items",
      unit: "{item}",
    });
    await post(`${url}/v1/metrics`, metricsBody([items, histogram([histogramPoint([0.01, 0.02], run)])]));
    const page = await chromium.context.newPage();
    await page.goto(`${url}/dashboard/`);
    await page.locator("#content[data-shows=figures]").waitFor();
    expect(await panel(page, "Decision").textContent()).toContain("the channel has no candidate");
    for (const [title, words] of [
      ["Evidence", "No version can be compared yet."],
      ["Channel", "publish one with insitu channel"],
      ["Drift by feature", "insitu reference"],
      ["Retraining log", "--retrain retrain.json"],
    ] as const)
      expect(await panel(page, title).locator(".nothing").textContent(), title).toContain(words);
    await page.close();
  });
});
