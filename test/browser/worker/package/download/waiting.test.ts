// A host that stalls, sends Retry-After or fails is waited for within limits.
import { join } from "node:path";
import type { Page } from "playwright";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Outcome, useDelivery } from "../../../../support/delivery.js";
import { answerOf, makeGraph } from "../../../../support/graphs.js";

const GRAPH = { tables: [1, 2, 3], rows: 16, files: "apart" } as const;
const ANSWER = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));

const delivery = useDelivery();
beforeEach(() => makeGraph(delivery.folder, GRAPH));

// The one load that must stand still for 15 s does so in a tab of its own, while the other tests run.
const idle = { url: "/packages/idle/", store: "idle" };
const askedByIdle: string[] = [];
let idleTab: Page;
let stalled: Promise<Outcome>;
beforeAll(async () => {
  await makeGraph(join(delivery.root, "idle"), GRAPH);
  delivery.server.faults.set(`${idle.url}table_1.bin`, { kind: "stall", bytes: 1000 });
  idleTab = await delivery.tab();
  idleTab.on("request", (request) => void askedByIdle.push(request.url()));
  stalled = delivery.load({ ...idle, page: idleTab });
  await vi.waitFor(() => expect(askedByIdle.filter((url) => url.includes("table_"))).toHaveLength(3), 10_000);
  // The host has begun its responses before the tests change how it responds.
  await vi.waitFor(() => expect(delivery.server.requests.filter(({ sent }) => sent === 1000)).toHaveLength(1), 5000);
});

/** Loads with one client, which stays open for another load. */
function loadAndKeep(options: { timeout?: number; abortAfter?: number }) {
  return delivery.library.page.evaluate(
    async ({ url, store, timeout, abortAfter }) => {
      window.client ??= window.insitu.createClient({ backends: ["cpu"], storage: { name: store } });
      const stop = new AbortController();
      if (abortAfter !== undefined) setTimeout(() => stop.abort(), abortAfter);
      return window.client.load(url, { timeout, signal: stop.signal }).then(
        ({ info }) => ({ code: info.source as string, message: "", data: {} }),
        ({ code, message, data }: InstanceType<typeof window.insitu.InsituError>) => ({ code, message, data }),
      );
    },
    { url: delivery.path, store: delivery.store, ...options },
  );
}

test.each([
  ["a signal", { abortAfter: 1500 }, "aborted"],
  ["the load's deadline", { timeout: 1500 }, "timeout"],
])("%s ends the requests at once, and the client loads again", async (_name, options, code) => {
  delivery.fail("table_1.bin", { kind: "stall", bytes: 1000 });
  const started = performance.now();
  expect(await loadAndKeep(options)).toMatchObject({ code, message: expect.stringContaining(delivery.path) });
  expect(performance.now() - started).toBeLessThan(6000);
  await vi.waitFor(() => expect(delivery.asked("table_1.bin")).toMatchObject([{ ended: "early" }]), 3000);
  delivery.heal();
  expect(await loadAndKeep({})).toMatchObject({ code: "network" });
  // The other chunks had been verified when the load was ended.
  expect(delivery.asked("table_").map(({ url }) => url)).toEqual([`${delivery.path}table_1.bin`]);
});

test("a signal ends the wait for a host that asked for time", async () => {
  delivery.fail("insitu.json", { kind: "status", status: 503, retryAfter: "20" });
  const { code, ms } = await delivery.load({ abortAfter: 1000 });
  expect(code).toBe("aborted");
  expect(ms).toBeLessThan(6000);
  expect(delivery.asked()).toHaveLength(1);
});

test("429 and 503 are waited out as Retry-After says, in seconds or as a date", async () => {
  // A date has whole seconds: this is one to two from now.
  const soon = () => new Date(Date.now() + 2000).toUTCString();
  delivery.fail("insitu.json", [{ kind: "status", status: 503, retryAfter: soon() }]);
  delivery.fail("table_1.bin", [{ kind: "status", status: 429, retryAfter: "1" }]);
  const { code, answer, ms } = await delivery.load();
  expect({ code, answer }).toEqual({ code: "", answer: ANSWER });
  expect(ms).toBeGreaterThan(1500);
  expect(delivery.asked("insitu.json").map(({ status }) => status)).toEqual([503, 200]);
  expect(delivery.asked("table_1.bin").map(({ status }) => status)).toEqual([429, 200]);
});

test("no file is asked for while the host wants time for another one", async () => {
  // Four connections: the fifth file has to wait with the first.
  await makeGraph(delivery.folder, { ...GRAPH, tables: [1, 2, 3, 4, 5, 6, 7] });
  delivery.fail("model.json", [{ kind: "status", status: 429, retryAfter: "2" }]);
  const early: number[] = [];
  const loaded = delivery.load();
  await vi.waitFor(() => expect(delivery.asked("model.json")).toMatchObject([{ ended: "whole" }]), 3000);
  await new Promise((done) => setTimeout(done, 300));
  early.push(delivery.asked().length);
  await new Promise((done) => setTimeout(done, 400));
  early.push(delivery.asked().length);
  expect(await loaded).toMatchObject({ code: "" });
  expect(early[0]).toBe(early[1]);
  expect(delivery.asked().length).toBeGreaterThan(early[0] as number);
});

test.each([429, 500, 503])("HTTP %i for good ends after four tries in some two seconds", async (status) => {
  delivery.fail("table_1.bin", { kind: "status", status });
  const { code, data, ms } = await delivery.load();
  expect(code).toBe(status < 500 ? "http_4xx" : "http_5xx");
  expect(data).toMatchObject({ status });
  expect(delivery.asked("table_1.bin")).toHaveLength(4);
  expect(ms).toBeLessThan(6000);
  delivery.heal();
  expect(await delivery.load()).toMatchObject({ code: "", answer: ANSWER });
});

test("a host that asks for an hour is not waited for, and the error says so", async () => {
  delivery.fail("insitu.json", { kind: "status", status: 503, retryAfter: "3600" });
  const { code, data, ms } = await delivery.load();
  expect(code).toBe("http_5xx");
  expect(data).toMatchObject({ status: 503, retryAfterMs: 3_600_000 });
  expect(ms).toBeLessThan(6000);
  expect(delivery.asked()).toHaveLength(1);
});

test("what cannot get better is not tried again", async () => {
  delivery.fail("table_1.bin", { kind: "status", status: 403 });
  expect(await delivery.load()).toMatchObject({ code: "http_4xx", data: { status: 403 } });
  expect(delivery.asked("table_1.bin")).toHaveLength(1);
});

// The last test: it waits for what is left of the 15 s.
test("a body without a byte for 15 s is given up, once, and what came before stays", async () => {
  const { code, data, ms } = await stalled;
  expect({ code, data }).toMatchObject({ code: "timeout", data: { idleMs: 15_000 } });
  expect(ms).toBeGreaterThan(14_500);
  expect(ms).toBeLessThan(25_000);
  expect(askedByIdle.filter((url) => url.includes("table_1"))).toHaveLength(1);
  askedByIdle.length = 0;
  expect(await delivery.load({ ...idle, page: idleTab })).toMatchObject({ code: "", answer: ANSWER });
  expect(askedByIdle.filter((url) => url.includes("table_"))).toEqual([expect.stringContaining("table_1.bin")]);
});
