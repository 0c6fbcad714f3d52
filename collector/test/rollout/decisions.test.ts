// Decisions over HTTP: what pages and trusted servers report becomes hold, rollback or promote, is kept, and cannot be forged.
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { startCollector } from "../../src/index.js";
import type { Decision } from "../../src/rollout/decision-types.js";
import { figure, post, temporaryFolder, withCollector } from "../support/run.js";
import { range, type Said, say, sayAll } from "../support/senders.js";

const STABLE = { version: "1.0.0", arm: "stable" };
const CANARY = { version: "1.1.0", arm: "canary" };
const folder = temporaryFolder();
afterAll(() => folder.remove());

async function decisionOf(url: string, model = "digits", headers: Record<string, string> = {}): Promise<Decision> {
  const answer = await fetch(`${url}/v1/rollouts/${model}`, { headers });
  expect(answer.status, await answer.clone().text()).toBe(200);
  return (await answer.json()) as Decision;
}

const evidenceOf = ({ evidence }: Decision, metric: string, trusted = false) =>
  evidence.find((one) => one.metric === metric && one.trusted === trusted);

const trusted = { authorization: "Bearer ours" };

/** A site's own server that knows the truth of a share of the predictions. */
const tell = (url: string, said: Said, headers = trusted) => say(url, 9_999_999, said, headers);

describe("a decision", () => {
  it("is 404 for a model that nobody knows, and 400 for a name that cannot be one", async () => {
    await withCollector({}, async ({ url }) => {
      const unknown = await fetch(`${url}/v1/rollouts/digits`);
      expect(unknown.status).toBe(404);
      expect(await unknown.text()).toContain("no page reported about it");
      expect((await fetch(`${url}/v1/rollouts/${encodeURIComponent("../x y")}`)).status).toBe(400);
    });
  });

  it("is to hold without a candidate, and with too little", async () => {
    await withCollector({ trustProxy: 1 }, async ({ url }) => {
      await sayAll(url, range(0, 20), () => ({ ...STABLE, correct: 5, durations: [0.01, 0.02] }));
      expect(await decisionOf(url)).toMatchObject({
        action: "hold",
        reason: "no_candidate",
        control: { ...STABLE, n: 40 },
        candidate: null,
        since: null,
        evidence: [],
      });
      await sayAll(url, range(100, 105), () => ({ ...CANARY, incorrect: 5, failed: 5 }));
      const decision = await decisionOf(url);
      expect([decision.action, decision.reason]).toEqual(["hold", "not_enough"]);
      expect(decision.candidate).toEqual({ ...CANARY, n: 25 });
      expect(decision.evidence.every(({ verdict }) => verdict === "unknown")).toBe(true);
    });
  });

  it("is to roll back what is less often right, and stays so after a restart, whatever comes later", async () => {
    const data = join(folder.path, "rollback.db");
    const options = { port: 0, data, readCache: 0, trustProxy: 1 };
    const first = await startCollector(options);
    await sayAll(first.url, range(0, 200), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
    await sayAll(first.url, range(200, 300), () => ({ ...CANARY, correct: 7, incorrect: 3 }));
    const decision = await decisionOf(first.url);
    expect([decision.action, decision.reason]).toEqual(["rollback", "accuracy"]);
    const accuracy = evidenceOf(decision, "accuracy");
    expect(accuracy).toMatchObject({
      control: { n: 2_000, value: 0.9 },
      candidate: { n: 1_000, value: 0.7 },
      verdict: "worse",
    });
    expect(accuracy?.difference).toBeCloseTo(-0.2, 9);
    expect(accuracy?.high).toBeLessThan(0);
    expect(accuracy?.p).toBeLessThan(accuracy?.alpha ?? 0);
    await first.close();

    const second = await startCollector(options);
    // A proof stays one, although the later data look better.
    await sayAll(second.url, range(300, 400), () => ({ ...CANARY, correct: 50 }));
    const later = await decisionOf(second.url);
    expect([later.action, later.reason]).toEqual(["rollback", "accuracy"]);
    expect(evidenceOf(later, "accuracy")?.candidate.n).toBe(6_000);
    expect(later.history.map(({ action }) => action)).toEqual(["rollback", "rollback"]);
    expect(later.history[0]).toMatchObject({ reason: "accuracy", control: "1.0.0", candidate: "1.1.0" });
    await second.close();
  });

  it("is to roll back what fails more often, and to hold what is slower", async () => {
    await withCollector({ trustProxy: 1 }, async ({ url }) => {
      const times = (factor: number) => range(0, 10).map((i) => (0.01 + i / 400) * factor);
      await sayAll(url, range(0, 100), () => ({ ...STABLE, durations: times(1) }));
      await sayAll(url, range(200, 300), () => ({ ...CANARY, durations: times(2) }));
      const slow = await decisionOf(url);
      expect([slow.action, slow.reason]).toEqual(["hold", "latency"]);
      expect(evidenceOf(slow, "latency")).toMatchObject({
        verdict: "worse",
        control: { n: 1_000 },
        candidate: { n: 1_000 },
      });
      expect(evidenceOf(slow, "latency")?.difference).toBeCloseTo(1, 6);
      await sayAll(url, range(300, 400), () => ({ ...CANARY, failed: 2 }));
      const failing = await decisionOf(url);
      expect([failing.action, failing.reason]).toEqual(["rollback", "errors"]);
    });
  });

  it("is to promote by trusted outcomes only", async () => {
    await withCollector({ trustProxy: 1, trustedKeys: ["ours"], writeKey: "public" }, async ({ url }) => {
      const page = { "x-insitu-key": "public" };
      const good = { correct: 45, incorrect: 5, durations: [0.01] };
      await sayAll(url, range(0, 150), () => ({ ...STABLE, ...good }), page);
      await sayAll(url, range(500, 650), () => ({ ...CANARY, ...good }), page);
      const pages = await decisionOf(url);
      expect(evidenceOf(pages, "accuracy")?.verdict).toBe("equivalent");
      expect([pages.action, pages.reason]).toEqual(["hold", "untrusted"]);
      await tell(url, { ...STABLE, correct: 5_600, incorrect: 400 });
      await tell(url, { ...CANARY, correct: 5_590, incorrect: 410 });
      const both = await decisionOf(url);
      expect(evidenceOf(both, "accuracy", true)).toMatchObject({ verdict: "equivalent", candidate: { n: 6_000 } });
      expect([both.action, both.reason]).toEqual(["promote", "not_worse"]);
      await tell(url, { ...CANARY, correct: 11_800, incorrect: 200 });
      const better = await decisionOf(url);
      expect([better.action, better.reason]).toEqual(["promote", "better"]);
      expect(better.history.map(({ action, reason }) => `${action} ${reason}`)).toEqual([
        "hold untrusted",
        "promote not_worse",
        "promote better",
      ]);
    });
  });

  it("corrects outcomes that were randomised", async () => {
    await withCollector({ trustProxy: 1 }, async ({ url }) => {
      // The truth with probability e / (e + 1): 34 of 50 are reported where 0.8894 are right, and 30 of 50 where 0.7164 are.
      const attributes = { "ml.privacy.epsilon": "1" };
      await sayAll(url, range(0, 40), () => ({ ...STABLE, attributes, correct: 34, incorrect: 16 }));
      await sayAll(url, range(100, 140), () => ({ ...CANARY, attributes, correct: 30, incorrect: 20 }));
      const found = evidenceOf(await decisionOf(url), "accuracy");
      expect(found?.control.value).toBeCloseTo(0.8894, 3);
      expect(found?.candidate.value).toBeCloseTo(0.7164, 3);
      // What was randomised says less: plain outcomes would have an interval of half the width.
      expect((found?.control.high ?? 0) - (found?.control.low ?? 0)).toBeGreaterThan(0.05);
    });
  });

  it("of a shadow says how often it agrees, and never to promote", async () => {
    await withCollector({ trustProxy: 1 }, async ({ url }) => {
      await sayAll(url, range(0, 50), () => ({ ...STABLE, correct: 5, durations: [0.01] }));
      await sayAll(url, range(0, 50), () => ({ version: "2.0.0", arm: "shadow", agree: 9, disagree: 1 }));
      const decision = await decisionOf(url);
      expect(decision.candidate).toEqual({ version: "2.0.0", arm: "shadow", n: 500 });
      expect([decision.action, decision.reason]).toEqual(["hold", "not_enough"]);
      expect(evidenceOf(decision, "shadow_agreement")).toMatchObject({ candidate: { n: 500, value: 0.9 } });
    });
  });

  it("needs the read token, or the operator's", async () => {
    await withCollector({ readToken: "secret", operatorToken: "operator" }, async ({ url }) => {
      for (const path of ["/v1/rollouts/digits", "/v1/drift?model=digits", "/v1/channels/digits/history"]) {
        expect((await fetch(url + path)).status, path).toBe(401);
        // `insitu channel --auto` has one token for both.
        for (const token of ["secret", "operator"])
          expect((await fetch(url + path, { headers: { authorization: `Bearer ${token}` } })).status, path).not.toBe(
            401,
          );
      }
    });
  });

  it("is in the metrics", async () => {
    await withCollector({ trustProxy: 1 }, async ({ url }) => {
      await sayAll(url, range(0, 200), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      await sayAll(url, range(200, 300), () => ({ ...CANARY, correct: 6, incorrect: 4 }));
      await decisionOf(url);
      const of = 'ml_model_name="digits",control="1.0.0",candidate="1.1.0"';
      expect(await figure(url, `insitu_collector_rollout_action{${of},action="rollback"}`)).toBe(1);
      expect(await figure(url, `insitu_collector_rollout_action{${of},action="hold"}`)).toBe(0);
      expect(
        await figure(url, `insitu_collector_rollout_difference{${of},metric="accuracy",trusted="false"}`),
      ).toBeCloseTo(-0.3);
      expect(await figure(url, `insitu_collector_rollout_worse{${of},metric="accuracy",trusted="false"}`)).toBe(1);
    });
  });
});

describe("a stranger", () => {
  it("who sends 10,000 outcomes counts as 50, in one request or in many, however many ids it has", async () => {
    await withCollector({ trustProxy: 1, rate: 10_000 }, async ({ url }) => {
      await sayAll(url, range(0, 100), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      await say(url, 7_777, { ...CANARY, incorrect: 10_000 });
      for (const i of range(0, 100)) await say(url, 7_777, { ...CANARY, incorrect: 100 }, { "x-insitu-key": `k${i}` });
      const decision = await decisionOf(url);
      expect(evidenceOf(decision, "accuracy")?.candidate.n).toBe(50);
      expect(decision.action).toBe("hold");
    });
  });

  it("of one IPv6 network is one sender", async () => {
    await withCollector({ trustProxy: 1, rate: 10_000 }, async ({ url }) => {
      await sayAll(url, range(0, 100), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      for (const i of range(1, 60))
        await say(url, 0, { ...CANARY, incorrect: 50 }, { "x-forwarded-for": `2001:db8:1:2::${i.toString(16)}` });
      expect(evidenceOf(await decisionOf(url), "accuracy")?.candidate.n).toBe(50);
    });
  });

  it("cannot make its outcomes trusted by an attribute, a wrong key, the address or a page", async () => {
    await withCollector({ trustProxy: 1, trustedKeys: ["ours"] }, async ({ url }) => {
      await sayAll(url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      const forged = { trusted: "true", "ml.trusted": "true", "insitu.trusted": "true" };
      await say(url, 1, { ...CANARY, correct: 5_000, attributes: forged });
      await tell(url, { ...CANARY, correct: 5_000 }, { authorization: "Bearer theirs" });
      await post(`${url}/v1/metrics?key=ours`, "{}");
      const page = await tell(url, { ...CANARY, correct: 5_000 }, {
        ...trusted,
        origin: "https://shop.example",
      } as never);
      expect(page.status).toBe(403);
      expect(await page.text()).toContain("belongs to your own servers");
      expect(evidenceOf(await decisionOf(url), "accuracy", true)).toBeUndefined();
      await tell(url, { ...STABLE, correct: 500 });
      await tell(url, { ...CANARY, correct: 500 });
      expect(evidenceOf(await decisionOf(url), "accuracy", true)?.candidate.n).toBe(500);
    });
  });

  it("is no tenth of a fleet that promotes a bad version", async () => {
    await withCollector({ trustProxy: 1, trustedKeys: ["ours"] }, async ({ url }) => {
      await sayAll(url, range(0, 300), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      // The candidate has 6 points less; a tenth of its pages reports what they like.
      await sayAll(url, range(1_000, 1_300), (i) =>
        i % 10 === 0 ? { ...CANARY, correct: 500 } : { ...CANARY, correct: 8, incorrect: 2 },
      );
      const decision = await decisionOf(url);
      expect(decision.action).not.toBe("promote");
      await tell(url, { ...STABLE, correct: 2_700, incorrect: 300 });
      await tell(url, { ...CANARY, correct: 2_520, incorrect: 480 });
      expect((await decisionOf(url)).action).toBe("rollback");
    });
  });

  it("who invents a version does not become the candidate", async () => {
    await withCollector({ trustProxy: 1, rate: 10_000 }, async ({ url }) => {
      await sayAll(url, range(0, 30), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      await sayAll(url, range(100, 130), () => ({ ...CANARY, correct: 9, incorrect: 1 }));
      for (const i of range(0, 40)) await say(url, 7, { version: `9.${i}.0`, arm: "canary", incorrect: 1_000 });
      await say(url, 7, { version: "9.0.0", arm: "stable", correct: 1_000 });
      expect(await decisionOf(url)).toMatchObject({ control: STABLE, candidate: CANARY });
    });
  });

  it("with a wrong clock does not move anything into another day", async () => {
    await withCollector({ trustProxy: 1 }, async ({ url }) => {
      const year = 366 * 24 * 3_600_000;
      await sayAll(url, range(0, 20), () => ({ ...STABLE, correct: 9, incorrect: 1 }));
      for (const [i, time] of [Date.now() - year, Date.now() + year, 0].entries()) {
        const { version, arm } = CANARY;
        const attributes = { "ml.model.name": "digits", "ml.model.version": version, "ml.rollout.arm": arm };
        const point = {
          attributes: Object.entries({ ...attributes, "ml.prediction.outcome": "correct" }).map(([key, value]) => ({
            key,
            value: { stringValue: value },
          })),
          timeUnixNano: `${time}000000`,
          asInt: "5",
        };
        const metric = {
          name: "ml.prediction.outcomes",
          unit: "{prediction}",
          sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [point] },
        };
        await post(
          `${url}/v1/metrics`,
          { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] },
          { "x-forwarded-for": `10.9.9.${i}` },
        );
      }
      const decision = await decisionOf(url);
      expect(evidenceOf(decision, "accuracy")?.candidate.n).toBe(15);
      expect(decision.since).toBeGreaterThan(Date.now() - 2 * 3_600_000);
    });
  });
});
