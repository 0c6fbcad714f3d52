// Drift over HTTP: by feature, confidence and class, against a profile or a version's first days, with its start; and what strangers can do.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { DriftReport } from "../../src/drift/drift-types.js";
import { startCollector } from "../../src/index.js";
import { randomOf } from "../support/random.js";
import { command, figure, temporaryFolder, withCollector } from "../support/run.js";
import { range, type Said, say, sayAll } from "../support/senders.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const STABLE = { version: "1.0.0", arm: "stable" };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const manifest = (reference: object) => JSON.stringify({ name: "digits", version: "1.0.0", reference });
const REFERENCE = {
  samples: 2_000,
  features: [{ name: "image.brightness", edges: [], low: 0, high: 1, missing: 0.01 }],
  confidence: range(0, 20).map((i) => (i === 19 ? 0.81 : 0.01)),
  classes: new Array<number>(10).fill(0.1),
};

async function driftOf(url: string, headers: Record<string, string> = {}): Promise<DriftReport[]> {
  const answer = await fetch(`${url}/v1/drift?model=digits`, { headers });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await answer.json()) as DriftReport[];
}

const targetOf = (all: DriftReport[], target: string) => all.find((one) => one.target === target);

/** Inputs of one sender: uniform, the brightness unless `power` is not 1. */
function inputs(seed: number, power = 1): Said {
  const random = randomOf(seed);
  const uniform = () => range(0, 5).map(() => random.next());
  const confidences = range(0, 5).map(() => (random.isTrue(0.81) ? 0.99 : random.next() * 0.95));
  const classes = Object.fromEntries(range(0, 5).map(() => [String(random.below(10)), 1]));
  return {
    ...STABLE,
    inputs: { "image.brightness": uniform().map((value) => value ** power), "image.contrast": uniform() },
    confidences,
    classes,
  };
}

describe("drift", () => {
  it("is found in the feature that shifts, and nowhere else, and says since when", async () => {
    let now = Date.now();
    const file = join(folder.path, "insitu.json");
    writeFileSync(file, manifest(REFERENCE));
    await withCollector({ trustProxy: 1, references: [file], now: () => now }, async ({ url }) => {
      for (let day = 0; day < 3; day += 1) {
        await sayAll(url, range(0, 150), (i) => inputs(1_000 * day + i));
        const quiet = await driftOf(url);
        expect(quiet.map(({ target }) => target).sort()).toEqual([
          "classes",
          "confidence",
          "image.brightness",
          "image.brightness.missing",
          "image.contrast",
        ]);
        expect(quiet.filter((one) => one.isDrift)).toEqual([]);
        now += DAY;
      }
      const began = now;
      for (let day = 0; day < 2; day += 1) {
        await sayAll(url, range(0, 150), (i) => inputs(9_000 + 1_000 * day + i, 2));
        if (day === 0) now += DAY;
      }
      const all = await driftOf(url);
      const drifted = all.filter((one) => one.isDrift);
      expect(drifted.map(({ target }) => target)).toEqual(["image.brightness"]);
      const [found] = drifted as [DriftReport];
      expect(found).toMatchObject({ model: "digits", ...STABLE, n: 750 });
      expect(found.psi).toBeGreaterThan(found.threshold);
      expect(found.chi2.p).toBeLessThan(1e-6);
      expect(found.ks.p).toBeLessThan(1e-6);
      expect([found.js > 0, found.js < 1]).toEqual([true, true]);
      expect(found.reference).toHaveLength(20);
      for (const share of found.reference) expect(share).toBeCloseTo(0.05, 12);
      expect(found.current.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      expect(found.since).toBe(Math.floor(began / HOUR) * HOUR);
    });
  });

  it("without a profile is measured against the version's own first days, of inputs against what they are by definition", async () => {
    let now = Date.now();
    await withCollector({ trustProxy: 1, now: () => now }, async ({ url }) => {
      await sayAll(url, range(0, 100), (i) => inputs(i));
      expect((await driftOf(url)).map(({ target }) => target).sort()).toEqual(["image.brightness", "image.contrast"]);
      now += 3 * DAY;
      await sayAll(url, range(0, 100), (i) => ({ ...inputs(500 + i), confidences: [0.3, 0.4, 0.35, 0.3, 0.45] }));
      const all = await driftOf(url);
      expect(all.filter((one) => one.isDrift).map(({ target }) => target)).toEqual(["confidence"]);
      expect(targetOf(all, "confidence")?.reference[19]).toBeCloseTo(0.81, 1);
    });
  });

  it("of missing values is a target of its own", async () => {
    await withCollector({ trustProxy: 1, operatorToken: "operator" }, async ({ url }) => {
      const answer = await fetch(`${url}/v1/channels/digits/reference`, {
        method: "PUT",
        body: manifest(REFERENCE),
        headers: { authorization: "Bearer operator" },
      });
      expect(await answer.json()).toEqual({ model: "digits", version: "1.0.0", samples: 2_000 });
      const missing = (i: number): Said => ({
        ...STABLE,
        inputs: { "image.brightness": range(0, 4).map(() => randomOf(i).next()) },
      });
      await sayAll(url, range(0, 100), missing);
      for (const i of range(0, 60)) {
        const metric = { name: "ml.input.missing", unit: "{value}" };
        const { counter, counterPoint, metricsBody } = await import("../support/otlp.js");
        const { post } = await import("../support/run.js");
        const point = counterPoint("4", {
          "ml.model.name": "digits",
          "ml.model.version": "1.0.0",
          "ml.rollout.arm": "stable",
          "ml.input.feature": "image.brightness",
        });
        await post(`${url}/v1/metrics`, metricsBody([counter([point], metric)]), { "x-forwarded-for": `10.0.0.${i}` });
      }
      expect(targetOf(await driftOf(url), "image.brightness.missing")).toMatchObject({
        isDrift: true,
        reference: [0.99, 0.01],
      });
    });
  });

  it("is in the metrics once the collector has looked, and needs its parameter", async () => {
    await withCollector({}, async ({ url }) => {
      const answer = await fetch(`${url}/v1/drift`);
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain('\\"model\\" is missing');
      expect(await driftOf(url)).toEqual([]);
      expect(await figure(url, "insitu_collector_drift_score")).toBeUndefined();
    });
  });
});

describe("one sender", () => {
  it("with any number of shifted inputs makes no drift", async () => {
    await withCollector({ trustProxy: 1, rate: 10_000 }, async ({ url }) => {
      await sayAll(url, range(0, 200), (i) => inputs(i));
      for (const _ of range(0, 50))
        await say(url, 3, { ...STABLE, inputs: { "image.brightness": new Array<number>(1_000).fill(0.01) } });
      const found = targetOf(await driftOf(url), "image.brightness");
      expect(found?.n).toBe(200 * 5 + 95);
      expect(found?.isDrift).toBe(false);
    });
  });
});

describe("a reference that cannot be used", () => {
  it.each<[string, string, string]>([
    ["is not JSON", "<html>", "not JSON"],
    ["has no profile", JSON.stringify({ name: "digits", version: "1.0.0" }), "insitu reference"],
    ["has no name", "{}", '"name"'],
    ["has no samples", manifest({ ...REFERENCE, samples: 0 }), "reference.samples"],
    ["has nothing to compare with", manifest({ samples: 9, features: [] }), "no features, confidence or classes"],
    ["has no fields at all", manifest({ samples: 9 }), "no features, confidence or classes"],
    ["has features that are none", manifest({ ...REFERENCE, features: {} }), "reference.features"],
    ["has a feature without a name", manifest({ ...REFERENCE, features: [{}] }), "reference.features[0].name"],
    [
      "has a feature that is always missing",
      manifest({ ...REFERENCE, features: [{ name: "a", missing: 1 }] }),
      "reference.features[0].missing",
    ],
    ["has shares that are none", manifest({ ...REFERENCE, confidence: [2] }), "reference.confidence"],
    ["has negative shares", manifest({ ...REFERENCE, classes: [-1, 2] }), "reference.classes"],
  ])("because it %s is refused at the start and when it is uploaded", async (name, text, message) => {
    const file = join(folder.path, `${name}.json`);
    writeFileSync(file, text);
    const started = startCollector({ port: 0, data: join(folder.path, `${name}.db`), references: [file] });
    await expect(started).rejects.toThrow(message);
    await withCollector({ operatorToken: "o" }, async ({ url }) => {
      const put = { method: "PUT", body: text, headers: { authorization: "Bearer o" } };
      const answer = await fetch(`${url}/v1/channels/digits/reference`, put);
      expect(answer.status).toBe(400);
      expect(JSON.parse(await answer.text()).message).toContain(message);
    });
  });

  it("is told by the command with its path", () => {
    const { status, stderr } = command(
      "--port",
      "0",
      "--data",
      join(folder.path, "c.db"),
      "--reference",
      "/nowhere/insitu.json",
    );
    expect(status).toBe(1);
    expect(stderr).toContain("Cannot use the reference /nowhere/insitu.json");
  });
});
