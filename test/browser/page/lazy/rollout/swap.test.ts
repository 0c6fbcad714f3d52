// One version takes over from another: under load, in the middle of a crash, without room, over what else a model does.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  arm,
  CHANNEL,
  checkOn,
  openModel,
  predictOn,
  STEP,
  toldOn,
  useCounterSite,
} from "../../../../support/counter-site.js";
import { count, RIGGED_WORKER, rig, riggedWorker } from "../../../../support/rigged-worker.js";

const site = useCounterSite({ routes: [riggedWorker] });
const NEVER = { channel: { every: 0 } };
const MEGABYTE = 1_048_576;

beforeEach(async () => {
  await site.pack(1);
  await site.pack(2);
  site.publish([arm(1)], 1);
});

/** Predicts 0, 1, 2, … with `open` of them open at a time, while `during` runs; returns what came back, in the order in which it came. */
async function underLoad(open: number, atLeast: number, during: () => Promise<void>) {
  await site.page.evaluate(
    ({ open, atLeast, step }) => {
      const load = { come: [] as number[][], failed: [] as string[], isEnding: false, ended: Promise.resolve() };
      window.swapLoad = load;
      let next = 0;
      const one = async (): Promise<void> => {
        while (!load.isEnding || next < atLeast) {
          const index = next++;
          try {
            const { outputs, model } = await window.counter.predict(Float32Array.of(index % step));
            const sum = Number(outputs.y?.data[0]);
            load.come.push([index, sum % step, Math.floor(sum / step), Number.parseInt(model.version, 10)]);
          } catch (error) {
            load.failed.push(`${index}: ${(error as { code: string }).code} ${(error as Error).message}`);
          }
        }
      };
      load.ended = Promise.all(Array.from({ length: open }, one)).then(() => undefined);
    },
    { open, atLeast, step: STEP },
  );
  await during();
  return site.page.evaluate(async () => {
    const load = window.swapLoad;
    load.isEnding = true;
    await load.ended;
    return { come: load.come, failed: load.failed };
  });
}

describe("under load", () => {
  test("10,000 predictions over 20 swaps: none fails, none is doubled, their order is kept", async () => {
    const client = { backends: ["cpu" as const] };
    await openModel(site.page, { client, load: NEVER });
    const swaps = 20;
    const { come, failed } = await underLoad(64, 10_000, async () => {
      for (let release = 2; release <= swaps + 1; release++) {
        await site.pack(release);
        site.publish([arm(release)], release);
        await checkOn(site.page);
      }
    });
    expect(failed).toEqual([]);
    expect(come.length).toBeGreaterThanOrEqual(10_000);
    // Each once, in the order in which they were asked for, each with its own result.
    expect(come.map(([index]) => index)).toEqual(come.map((_, place) => place));
    expect(come.filter(([index = 0, got]) => index % STEP !== got)).toEqual([]);
    // Named after the version that computed them; and no prediction was computed by an older version than one before.
    expect(come.filter(([, , computed, named]) => computed !== named)).toEqual([]);
    const versions = come.map(([, , computed]) => computed as number);
    expect(versions.filter((version, place) => version < (versions[place - 1] ?? 0))).toEqual([]);
    expect(new Set(versions).size).toBe(swaps + 1);
    const told = await toldOn(site.page);
    expect(told).toEqual(Array.from({ length: swaps }, (_, i) => `swap ${i + 1}.0.0 ${i + 2}.0.0 release`));
    // All but the last were freed.
    const models = await site.page.evaluate(() => window.counter.info.version);
    expect(models).toBe(`${swaps + 1}.0.0`);
  });

  test("two workers: none fails, each has its own result", async () => {
    await openModel(site.page, { client: { backends: ["cpu"], pool: 2 }, load: NEVER });
    const { come, failed } = await underLoad(32, 2_000, async () => {
      for (let release = 2; release <= 6; release++) {
        await site.pack(release);
        site.publish([arm(release)], release);
        await checkOn(site.page);
      }
    });
    expect(failed).toEqual([]);
    expect(come.map(([index]) => index).sort((a = 0, b = 0) => a - b)).toEqual(come.map((_, place) => place));
    expect(come.filter(([index = 0, got, computed, named]) => index % STEP !== got || computed !== named)).toEqual([]);
  });

  test("memory for one version only: it is unloaded first, in a pause, and no prediction fails", async () => {
    for (const number of [1, 2]) await site.pack(number, { padding: MEGABYTE });
    await openModel(site.page, { client: { backends: ["cpu"], memory: { maxBytes: 1.5 * MEGABYTE } }, load: NEVER });
    site.publish([arm(2)], 2);
    const { come, failed } = await underLoad(1, 50, () => checkOn(site.page));
    expect(failed).toEqual([]);
    expect(come.filter(([index = 0, got, computed, named]) => index % STEP !== got || computed !== named)).toEqual([]);
    expect(await toldOn(site.page)).toEqual(["swap 1.0.0 2.0.0 release"]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 2 });
  });

  test("memory for one version only, and the next one cannot be loaded: the one before is loaded again", async () => {
    for (const number of [1, 2]) await site.pack(number, { padding: MEGABYTE });
    await openModel(site.page, { client: { backends: ["cpu"], memory: { maxBytes: 1.5 * MEGABYTE } }, load: NEVER });
    await site.page.evaluate(() => window.counter.stored);
    site.publish([arm(2)], 2);
    // The first try is given up as soon as its size is known.
    site.library.server.faults.set("/site/2.0.0/weights.bin", { kind: "alter", offset: 9 });
    const { come, failed } = await underLoad(1, 50, () => checkOn(site.page));
    expect(failed).toEqual([]);
    expect(come.every(([index = 0, got, computed]) => index % STEP === got && computed === 1)).toBe(true);
    expect(await toldOn(site.page)).toEqual(["problem swap model_integrity 2.0.0"]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1, named: "1.0.0" });
  });
});

test("versions that are left are freed: their memory does not grow with the number of swaps", async () => {
  await openModel(site.page, { client: { backends: ["cpu"], worker: RIGGED_WORKER }, load: NEVER });
  const tensors = async () => (await count(site.page)).tensors;
  const pin = (number: number) => site.page.evaluate((v) => window.counter.rollout?.pin(v), `${number}.0.0`);
  site.publish([arm(1), arm(2, 0, "canary")], 2);
  await checkOn(site.page);
  await pin(2);
  await pin(1);
  await predictOn(site.page);
  const before = await tensors();
  for (let round = 0; round < 5; round++) {
    await pin(2);
    await pin(1);
  }
  await predictOn(site.page);
  await expect.poll(tensors).toBe(before);
});

/** The second version is on its way, and does not arrive. */
async function hold(): Promise<{ checking: Promise<void> }> {
  const asked = site.hang(2);
  site.publish([arm(2)], 2);
  const checking = checkOn(site.page).catch(() => undefined);
  await asked();
  return { checking };
}

describe("a crash in the middle of a swap", () => {
  test("of the worker: predictions go on, and the next check swaps", async () => {
    await openModel(site.page, { client: { backends: ["cpu"], worker: RIGGED_WORKER }, load: NEVER });
    const { checking } = await hold();
    await rig(site.page, "throw");
    await checking;
    expect(await predictOn(site.page)).toMatchObject({ computed: 1, named: "1.0.0" });
    expect((await toldOn(site.page)).filter((each) => !each.startsWith("problem swap"))).toEqual([]);
    site.endHangs();
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 2, named: "2.0.0" });
  });

  test("of the page: the next visit runs the version before, also offline, and then the new one", async () => {
    await openModel(site.page, { load: NEVER });
    await site.page.evaluate(() => window.counter.stored);
    await hold();
    await site.page.close();
    site.library.server.hangUp();
    site.page = await site.tab();
    await site.goOffline(true);
    expect(await openModel(site.page, { load: NEVER })).toMatchObject({ code: "", computed: 1, version: "1.0.0" });
    await site.goOffline(false);
    site.library.server.faults.clear();
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 2 });
  });

  test("of the model's owner: dispose ends the swap, and nothing is left open", async () => {
    await openModel(site.page, { load: NEVER });
    const { checking } = await hold();
    await site.page.evaluate(() => window.counter.dispose());
    await checking;
    expect(await site.page.evaluate(() => window.counter.rollout?.state().status)).toBe("disposed");
    const code = await site.page.evaluate(() => window.counter.predict(Float32Array.of(1)).catch(({ code }) => code));
    expect(code).toBe("disposed");
  });
});

describe("no space for the second version", () => {
  beforeEach(async () => {
    for (const number of [1, 2]) await site.pack(number, { padding: 4 * MEGABYTE });
  });

  async function keepsTheFirst(): Promise<void> {
    await site.page.evaluate(() => window.counter.stored);
    site.publish([arm(2)], 2);
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual(["problem swap storage_quota 2.0.0"]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1, named: "1.0.0" });
    // The one before is still there for a visit without a network.
    await site.page.close();
    site.page = await site.tab();
    await site.goOffline(true);
    expect(await openModel(site.page, { load: NEVER })).toMatchObject({ code: "", computed: 1 });
    await site.goOffline(false);
  }

  test("of the origin's quota: the version that runs goes on, and stays stored", async () => {
    const session = await site.visitor.newCDPSession(site.page);
    const origin = site.library.server.url;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 7 * MEGABYTE });
    await openModel(site.page, { load: NEVER });
    await keepsTheFirst();
    const other = await site.visitor.newCDPSession(site.page);
    await other.send("Storage.overrideQuotaForOrigin", { origin });
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 2 });
  });

  test("of the client's own budget: the last known good version is not evicted for it", async () => {
    await openModel(site.page, { client: { backends: ["cpu"], storage: { maxBytes: 6 * MEGABYTE } }, load: NEVER });
    await site.page.evaluate(() => window.counter.stored);
    site.publish([arm(2)], 2);
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual(["problem swap storage_quota 2.0.0"]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
  });
});

test("a role that changes moves nothing: a canary that is promoted is stable, without a swap", async () => {
  site.publish([arm(1, 0.001), arm(2, 1e6, "canary")], 1);
  expect(await openModel(site.page, { load: NEVER })).toMatchObject({ computed: 2, arm: "canary" });
  site.library.server.requests.length = 0;
  site.publish([arm(2)], 2);
  await checkOn(site.page);
  expect(await predictOn(site.page)).toEqual({ computed: 2, named: "2.0.0", arm: "stable" });
  expect(await toldOn(site.page)).toEqual([]);
  expect(site.library.server.requests.map(({ url }) => url)).toEqual([CHANNEL]);
});

test("what other tabs run is theirs: a pin does not move them, a channel does", async () => {
  const second = await site.tab();
  await openModel(site.page, { load: NEVER });
  await openModel(second, { load: NEVER });
  site.publish([arm(1), arm(2, 0, "canary")], 2);
  await checkOn(second);
  await site.page.evaluate(() => window.counter.rollout?.check());
  await site.page.evaluate(() => window.counter.rollout?.pin("2.0.0"));
  expect([await predictOn(site.page), await predictOn(second)]).toMatchObject([{ computed: 2 }, { computed: 1 }]);
});

test("a package that was deleted from the host is loaded again from the store when its worker dies", async () => {
  await openModel(site.page, { client: { backends: ["cpu"], worker: RIGGED_WORKER }, load: NEVER });
  await site.page.evaluate(() => window.counter.stored);
  site.publish([arm(2)], 2);
  await checkOn(site.page);
  await site.page.evaluate(() => window.client.store.list());
  rmSync(join(site.folder, "1.0.0"), { recursive: true });
  rmSync(join(site.folder, "2.0.0"), { recursive: true });
  await rig(site.page, "throw");
  expect(await predictOn(site.page)).toEqual({ computed: 2, named: "2.0.0", arm: "stable" });
});
