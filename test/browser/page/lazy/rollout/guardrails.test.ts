// A version that fails or is slow is left at once, also offline, by all tabs, and is not run again.
import type { Page } from "playwright";
import { describe, expect, test } from "vitest";
import {
  canary,
  follow,
  predictRows,
  running,
  seen,
  stable,
  untilRuns,
  useChannelSite,
} from "../../../../support/channel-site.js";

const site = useChannelSite("tables");

/** Row 2 of the canary holds NaN. Its browser has run the stable version before, as most that get a canary have. */
async function onBrokenCanary(limits = {}): Promise<Page> {
  await site.tables("1.0.0", { tables: [1] });
  await site.tables("1.1.0", { tables: [2], nanInRow: 2 });
  site.publish([stable("1.0.0")]);
  const page = await site.page();
  await follow(page, site);
  site.publish([stable("1.0.0", 0), canary("1.1.0")], { guardrails: limits });
  await page.evaluate(() => window.model.rollout?.check());
  expect(await running(page)).toBe("1.1.0");
  return page;
}

describe("failures in a row", () => {
  test("five without a limit: back to the last known good, and the page is told", async () => {
    const page = await onBrokenCanary();
    expect(await predictRows(page, 2, 4)).toEqual(Array(4).fill("output_invalid"));
    expect(await running(page)).toBe("1.1.0");
    expect(await predictRows(page, 2, 1)).toEqual(["output_invalid"]);
    await untilRuns(page, "1.0.0");
    // The same row is right in the version of before.
    expect(await predictRows(page, 2, 3)).toEqual(Array(3).fill("1.0.0"));
    const { state, events } = await seen(page);
    expect(state.blocked).toMatchObject([
      { version: "1.1.0", reason: "failures", digest: expect.stringMatching(/^[\da-f]{64}$/), count: 5 },
    ]);
    expect(state.running).toMatchObject({ version: "1.0.0", reason: "failures" });
    const rollbacks = events.filter(({ type }) => type === "rollback");
    expect(rollbacks).toMatchObject([
      {
        detail: {
          from: { version: "1.1.0" },
          to: { version: "1.0.0" },
          reason: "failures",
          count: 5,
          limit: 5,
          detail: "5 predictions in a row failed, the last one with output_invalid",
        },
      },
    ]);
  });

  test("the channel's limit, and what succeeds between them starts a new row", async () => {
    const page = await onBrokenCanary({ failures: 3 });
    for (let n = 0; n < 3; n += 1) {
      await predictRows(page, 2, 2);
      expect(await predictRows(page, 1, 1)).toEqual(["1.1.0"]);
    }
    await predictRows(page, 2, 3);
    await untilRuns(page, "1.0.0");
  });

  describe("of pages that predict once at each visit", () => {
    const visit = async (page: Page, row: number) => {
      const next = await site.page(page.context());
      await follow(next, site);
      const results = await predictRows(next, row, 1);
      const { state, events } = await seen(next);
      return { page: next, result: results[0], running: state.running.version, blocked: state.blocked, events };
    };

    test("are counted over the visits", async () => {
      const page = await onBrokenCanary();
      for (let n = 1; n < 5; n += 1)
        expect(await visit(page, 2)).toMatchObject({ result: "output_invalid", running: "1.1.0", blocked: [] });
      const last = await visit(page, 2);
      expect(last.result).toBe("output_invalid");
      await untilRuns(last.page, "1.0.0");
      expect((await seen(last.page)).state.blocked).toMatchObject([{ version: "1.1.0", reason: "failures", count: 5 }]);
      expect(await visit(page, 2)).toMatchObject({ result: "1.0.0", running: "1.0.0" });
    });

    test("end with the first that succeeds", async () => {
      const page = await onBrokenCanary({ failures: 3 });
      for (let n = 0; n < 3; n += 1) {
        for (const row of [2, 2]) expect(await visit(page, row)).toMatchObject({ result: "output_invalid" });
        expect(await visit(page, 1)).toMatchObject({ result: "1.1.0", blocked: [] });
      }
    });

    test("do not count for a version that the page pins", async () => {
      const page = await onBrokenCanary({ failures: 3 });
      await predictRows(page, 2, 3);
      await untilRuns(page, "1.0.0");
      const pinned = await site.page(page.context());
      await follow(pinned, site, { channel: { every: 0, pin: "1.1.0" } });
      expect(await predictRows(pinned, 2, 2)).toEqual(Array(2).fill("output_invalid"));
      expect(await running(pinned)).toBe("1.1.0");
    });
  });

  test("what the caller did wrong is never counted", async () => {
    const page = await onBrokenCanary({ failures: 3 });
    const codes = await page.evaluate(async () => {
      const { model } = window;
      const code = (run: Promise<unknown>) => run.then(() => "none").catch((error) => error.code);
      const found = new Set<string>();
      for (let n = 0; n < 6; n += 1) {
        found.add(await code(model.predict(new Float32Array(3))));
        found.add(await code(model.predict("/nothing-here.png")));
        found.add(await code(model.predict(new Int32Array([1]), { signal: AbortSignal.abort() })));
      }
      const many = Array.from({ length: 400 }, () => code(model.predict(new Int32Array([1]))));
      for (const each of await Promise.all(many)) found.add(each);
      return [...found].sort();
    });
    expect(codes).toEqual(["aborted", "input_invalid", "none", "overloaded"]);
    expect(await running(page)).toBe("1.1.0");
    expect((await seen(page)).events.filter(({ type }) => type === "rollback")).toEqual([]);
  });
});

describe("a rollback", () => {
  test("needs no network, and is remembered by the next page", async () => {
    const page = await onBrokenCanary();
    const context = page.context();
    await context.setOffline(true);
    await predictRows(page, 2, 5);
    await untilRuns(page, "1.0.0");
    expect(await predictRows(page, 2, 1)).toEqual(["1.0.0"]);
    await context.setOffline(false);
    site.server.requests.length = 0;
    const later = await site.page(context);
    const { state } = await follow(later, site);
    expect(state.running).toMatchObject({ version: "1.0.0", reason: "failures" });
    expect(await predictRows(later, 2, 1)).toEqual(["1.0.0"]);
    // Also where the channel is read again, and names the same version in a higher release.
    site.publish([stable("1.0.0", 0), canary("1.1.0")]);
    await later.evaluate(() => window.model.rollout?.check());
    expect(await running(later)).toBe("1.0.0");
  });

  test("is followed by the other tabs of the site", async () => {
    const page = await onBrokenCanary();
    const other = await site.page(page.context());
    await follow(other, site);
    expect(await running(other)).toBe("1.1.0");
    await predictRows(page, 2, 5);
    await untilRuns(page, "1.0.0");
    await untilRuns(other, "1.0.0");
    expect(await predictRows(other, 2, 1)).toEqual(["1.0.0"]);
    await expect
      .poll(async () => (await seen(other)).events)
      .toContainEqual({ type: "rollback", detail: expect.objectContaining({ reason: "failures" }) });
  });

  test("loses and doubles no prediction that is asked for meanwhile", async () => {
    const page = await onBrokenCanary();
    const versions = await page.evaluate(async () => {
      const { model } = window;
      for (let n = 0; n < 5; n += 1) await model.predict(new Int32Array([2])).catch(() => undefined);
      const good: ReturnType<typeof model.predict>[] = [];
      for (let n = 0; n < 40; n += 1) {
        good.push(model.predict(new Int32Array([1])));
        await Promise.resolve();
      }
      const results = await Promise.all(good);
      return { versions: results.map((each) => each.model.version), unique: new Set(results.map(({ id }) => id)).size };
    });
    expect(versions.unique).toBe(40);
    // Each begins on one version and ends on it, and the last ones are those of the version of before.
    expect(versions.versions.toSorted().toReversed()).toEqual(versions.versions);
    expect(versions.versions.at(-1)).toBe("1.0.0");
  });

  test("where there is no other version is a problem, and what runs goes on", async () => {
    await site.tables("1.0.0", { tables: [1], nanInRow: 2 });
    site.publish([stable("1.0.0")]);
    const page = await site.page();
    await follow(page, site);
    await predictRows(page, 2, 5);
    await expect
      .poll(async () => (await seen(page)).events)
      .toContainEqual({ type: "problem", detail: expect.objectContaining({ stage: "rollback" }) });
    expect(await predictRows(page, 1, 1)).toEqual(["1.0.0"]);
  });
});

describe("a block", () => {
  test("ends where the channel widens the limit, and holds while it does not", async () => {
    const page = await onBrokenCanary({ failures: 3 });
    await predictRows(page, 2, 3);
    await untilRuns(page, "1.0.0");
    const republish = async (failures: number) => {
      site.publish([stable("1.0.0", 0), canary("1.1.0")], { guardrails: { failures } });
      await page.evaluate(() => window.model.rollout?.check());
    };
    await republish(2);
    expect(await running(page)).toBe("1.0.0");
    await republish(10);
    expect(await running(page)).toBe("1.1.0");
  });

  test("ends with a higher release that names the folder with other bytes", async () => {
    const page = await onBrokenCanary();
    await predictRows(page, 2, 5);
    await untilRuns(page, "1.0.0");
    await site.tables("1.1.0", { tables: [3], release: 2 });
    // The same release still names what failed.
    await page.evaluate(() => window.model.rollout?.check());
    expect(await running(page)).toBe("1.0.0");
    site.publish([stable("1.0.0", 0), canary("1.1.0")]);
    await page.evaluate(() => window.model.rollout?.check());
    expect(await running(page)).toBe("1.1.0");
    expect(await predictRows(page, 2, 1)).toEqual(["1.1.0"]);
    expect((await seen(page)).state.blocked).toEqual([]);
  });
});

test("a version that is slower than the channel allows is left", async () => {
  await site.tables("1.0.0", { tables: [1] });
  await site.tables("1.1.0", { tables: Array.from({ length: 400 }, (_, n) => n), rows: 1 });
  site.publish([stable("1.0.0", 0), canary("1.1.0")]);
  const page = await site.page();
  await follow(page, site);
  const median = () =>
    page.evaluate(async () => {
      const times: number[] = [];
      for (let n = 0; n < 21; n += 1) {
        const { timings } = await window.model.predict(new Int32Array([0]));
        times.push(timings.preprocessMs + timings.executeMs + timings.readbackMs + timings.postprocessMs);
      }
      return times.sort((a, b) => a - b)[10] as number;
    });
  const slow = await median();
  await page.evaluate(() => window.model.rollout?.pin("1.0.0"));
  const fast = await median();
  expect(slow).toBeGreaterThan(fast * 4);
  await page.evaluate(() => window.model.rollout?.pin());
  const guardrails = { maxLatency: Math.sqrt(slow * fast), latencyWindow: 20 };
  site.publish([stable("1.0.0", 0), canary("1.1.0")], { guardrails });
  await page.evaluate(() => window.model.rollout?.check());
  expect(await running(page)).toBe("1.1.0");
  await predictRows(page, 0, 19);
  expect(await running(page)).toBe("1.1.0");
  await predictRows(page, 0, 1);
  await untilRuns(page, "1.0.0");
  const { state } = await seen(page);
  expect(state.blocked).toMatchObject([{ version: "1.1.0", reason: "latency" }]);
  // Many at once run in batches, and wait for each other: the fast version is not blamed for that.
  await page.evaluate(() => Promise.all(Array.from({ length: 200 }, () => window.model.predict(new Int32Array([0])))));
  expect(await running(page)).toBe("1.0.0");
});
