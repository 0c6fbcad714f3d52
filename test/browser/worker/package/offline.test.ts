// Without a network, loaded models work, and other loads fail at once and work later.
import { beforeEach, expect, test, vi } from "vitest";
import { useDelivery } from "../../../support/delivery.js";
import { answerOf, makeGraph } from "../../../support/graphs.js";

const GRAPH = { tables: [1, 2, 3], rows: 16, files: "apart" } as const;
const answer = (id: number) => answerOf(GRAPH, id).map((value) => expect.closeTo(value, 5));

// The page's own scripts come from the HTTP cache, as they do from a service worker.
const delivery = useDelivery({ headers: { "Cache-Control": "max-age=600" } });
beforeEach(() => makeGraph(delivery.folder, GRAPH));

const goOffline = (offline: boolean) => delivery.library.chromium.context.setOffline(offline);

test.each(["wasm", "cpu"] as const)(
  "a package that was loaded once runs on %s in a new page, and nothing is asked for",
  async (backend) => {
    const backends = [backend];
    expect(await delivery.load({ backends })).toMatchObject({ code: "", source: "network", answer: answer(3) });
    await delivery.library.visit();
    delivery.heal();
    await goOffline(true);
    const offline = await delivery.load({ backends, id: 7 });
    expect(offline).toMatchObject({ code: "", source: "cache", answer: answer(7) });
    expect(offline.events.map(({ type }) => type)).toEqual(["hit"]);
    expect(delivery.server.requests).toEqual([]);
  },
);

test("asking for a newer release runs the stored one", async () => {
  await delivery.load();
  await goOffline(true);
  const { ms, ...offline } = await delivery.load({ refresh: true });
  expect(offline).toMatchObject({ code: "", source: "cache", answer: answer(3) });
  // The browser knows that it has no network: nothing is tried again.
  expect(ms).toBeLessThan(5000);
});

test("a package that was never loaded fails at once, and loads when the network is back", async () => {
  await goOffline(true);
  const { ms, ...failed } = await delivery.load();
  expect(failed).toMatchObject({ code: "network", message: expect.stringContaining("insitu.json") });
  expect(ms).toBeLessThan(5000);
  await goOffline(false);
  expect(await delivery.load()).toMatchObject({ code: "", source: "network", answer: answer(3) });
});

test("a network that goes away in the middle ends the load, and the next one fetches the rest", async () => {
  delivery.fail("table_1.bin", { kind: "stall", bytes: 1000 });
  const loading = delivery.load();
  await vi.waitFor(async () => expect((await delivery.stored()).chunks).toHaveLength(4), 5000);
  await goOffline(true);
  delivery.server.hangUp();
  expect(await loading).toMatchObject({ code: "network", message: expect.stringContaining("table_1.bin") });
  expect(delivery.asked("table_1.bin")).toHaveLength(1);
  await goOffline(false);
  delivery.heal();
  expect(await delivery.load()).toMatchObject({ code: "", source: "network", answer: answer(3) });
  expect(delivery.asked("table_").map(({ url }) => url)).toEqual([`${delivery.path}table_1.bin`]);
});
