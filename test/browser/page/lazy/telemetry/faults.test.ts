// Whatever happens to network, collector and page: what was recorded arrives once, or is counted as dropped.
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { TelemetryOptions } from "../../../../../src/index.js";
import { crash } from "../../../../support/crash.js";
import { importLibrary, type LibraryPage } from "../../../../support/page.js";
import { type Receiver, startReceiver } from "../../../../support/receiver.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;
let receiver: Receiver;
let page: Page;

beforeAll(async () => {
  library = await openSharedLibrary();
});
afterAll(() => library?.close());
beforeEach(async () => {
  receiver = await startReceiver();
  page = await visit();
});
afterEach(async () => {
  await library.chromium.context.setOffline(false);
  for (const open of library.chromium.context.pages().slice(1)) await open.close();
  await receiver.stop();
});

async function visit(): Promise<Page> {
  const opened = await library.chromium.context.newPage();
  await opened.goto(library.server.url);
  await importLibrary(opened);
  return opened;
}

let stores = 0;
/** A client, and digits in it, that report to the receiver. */
async function open(on: Page, options: Partial<TelemetryOptions> = {}, store = `t${++stores}`): Promise<string> {
  await on.evaluate(
    async ([telemetry, name]) => {
      window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name }, telemetry });
      window.model = await window.client.load("/models/digits/", { task: "classification" });
    },
    [{ endpoint: receiver.url, sampling: 1, flushInterval: 300, ...options }, store] as const,
  );
  return store;
}

const predict = (on: Page, times: number) =>
  on.evaluate(async (n) => {
    for (let i = 0; i < n; i += 1) await window.model.predict(new Float32Array(784).fill(i / n));
  }, times);
const flush = (on: Page) => on.evaluate(() => window.client.telemetry.flush());
const stats = (on: Page) => on.evaluate(() => window.client.telemetry.stats());

/** Until nothing waits any more; the books then. */
async function settled(on: Page) {
  // How much the store holds is recorded a moment after a load.
  const pending = async () => {
    await flush(on);
    return (await stats(on)).pending;
  };
  await expect.poll(pending, { timeout: 30_000 }).toBe(0);
  const books = await stats(on);
  const dropped = Object.values(books.dropped).reduce((sum, count) => sum + count, 0);
  expect(books.sent + dropped).toBe(books.recorded);
  return books;
}

/** No request may be acknowledged under two names: each prediction is in one. */
function expectOnce(predictions: number): void {
  expect(receiver.count("ml.inference.items")).toBe(predictions);
  expect(receiver.events("ml.prediction")).toBe(predictions);
}

test("without faults each prediction arrives once, with its class only where the page asks for it", async () => {
  await open(page);
  await predict(page, 120);
  await flush(page);
  const { dropped } = await settled(page);
  expect(dropped).toEqual({});
  expectOnce(120);
  expect(receiver.received.every(({ id }) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  expect(receiver.received.map(({ text }) => text).join()).not.toContain("ml.prediction.class");
  expect(receiver.received.some(({ headers }) => headers["content-encoding"] === "gzip")).toBe(true);
});

test("a network that goes and comes back costs nothing", async () => {
  await open(page);
  await predict(page, 20);
  await library.chromium.context.setOffline(true);
  await predict(page, 60);
  await flush(page);
  const before = receiver.received.length;
  await predict(page, 20);
  await flush(page);
  expect(receiver.received.length).toBe(before);
  expect((await stats(page)).pending).toBeGreaterThan(0);
  await library.chromium.context.setOffline(false);
  await settled(page);
  expectOnce(100);
});

test.each([
  ["503", { status: 503 }],
  [
    "429 with Retry-After",
    { status: 429, headers: { "retry-after": "1", "access-control-expose-headers": "retry-after" } },
  ],
  ["502", { status: 502 }],
] as const)("a storm of %s ends with all of it there, one request at a time", async (_name, reply) => {
  let open_ = 0;
  receiver.reply = (_request, number) => {
    open_ = Math.max(open_, receiver.received.filter(({ id }) => id === receiver.received.at(-1)?.id).length);
    return number <= 3 ? reply : { status: 200 };
  };
  await open(page);
  await predict(page, 60);
  await flush(page);
  await settled(page);
  expectOnce(60);
  // Tried again under the same name.
  expect(open_).toBeGreaterThan(1);
});

test("what a collector refuses is dropped and counted, and not sent again", async () => {
  receiver.reply = () => ({ status: 400 });
  await open(page);
  await predict(page, 10);
  await flush(page);
  const { sent, dropped } = await settled(page);
  expect(sent).toBe(0);
  expect(dropped.rejected).toBeGreaterThan(20);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a partial success is final", async () => {
  receiver.reply = ({ path }) =>
    path === "/v1/logs"
      ? { status: 200, body: JSON.stringify({ partialSuccess: { rejectedLogRecords: "3", errorMessage: "no" } }) }
      : { status: 200 };
  await open(page);
  await predict(page, 10);
  await flush(page);
  const { dropped } = await settled(page);
  expect(dropped.partial).toBeGreaterThanOrEqual(3);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("what a page could not send, the site's next page does", async () => {
  receiver.reply = () => "reset";
  const store = await open(page);
  await predict(page, 30);
  await flush(page);
  await page.close();
  receiver.reply = () => ({ status: 200 });
  receiver.received.splice(0);
  const next = await visit();
  await open(next, {}, store);
  await flush(next);
  await settled(next);
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(30);
  expectOnce(30);
});

test("of two tabs one sends what is in the outbox", async () => {
  receiver.reply = () => "reset";
  const store = await open(page);
  await predict(page, 60);
  await flush(page);
  await page.close();
  receiver.reply = () => ({ status: 200 });
  receiver.received.splice(0);
  const tabs = [await visit(), await visit()];
  await Promise.all(tabs.map((tab) => open(tab, {}, store)));
  await Promise.all(tabs.map(flush));
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(60);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test.each([
  ["fetchLater", {}],
  ["keepalive", {}],
  ["sendBeacon", { keepalive: false }],
  ["the beacon protocol", { protocol: "beacon" }],
] as const)("a page that is closed sends what it has by %s", async (name, options) => {
  if (name === "keepalive")
    await page.evaluate(() => Object.defineProperty(window, "fetchLater", { value: undefined }));
  await open(page, { ...options, flushInterval: 600_000 });
  await predict(page, 20);
  await page.close({ runBeforeUnload: true });
  const texts = () => receiver.received.map(({ text }) => text).join();
  await expect.poll(() => texts().split('"ml.prediction"').length - 1, { timeout: 20_000 }).toBe(20);
  if (name !== "the beacon protocol") expectOnce(20);
  else expect(receiver.received.every(({ headers }) => headers["content-type"] === "text/plain")).toBe(true);
});

test("a page that crashes has handed the browser what it had", async () => {
  await open(page, { flushInterval: 600_000 });
  await predict(page, 20);
  // New records are handed over once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await crash(page);
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(20);
  expectOnce(20);
});

test("what the browser was handed and what is sent later are never the same", async () => {
  await open(page, { flushInterval: 600_000 });
  for (let round = 0; round < 4; round += 1) {
    await predict(page, 5);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
  }
  await flush(page);
  await predict(page, 5);
  await page.close({ runBeforeUnload: true });
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(25);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expectOnce(25);
});

test("a collector that hangs costs no prediction, and the memory stays bounded", async () => {
  receiver.reply = () => "hang";
  await open(page);
  await predict(page, 2_000);
  const { recorded, pending, dropped, sent } = await stats(page);
  expect(recorded).toBeGreaterThan(4_000);
  expect(pending + sent + Object.values(dropped).reduce((a, b) => a + b, 0)).toBe(recorded);
  // One hangs, and all others wait for it.
  expect(receiver.received.length).toBeLessThan(10);
});

test("an extension that blocks is met with silence", async () => {
  await page.route(`${receiver.url}/**`, (route) => route.abort("blockedbyclient"));
  const requests: string[] = [];
  page.on("request", (request) => request.url().startsWith(receiver.url) && requests.push(request.url()));
  await open(page);
  for (let round = 0; round < 5; round += 1) {
    await predict(page, 5);
    await flush(page);
  }
  // A second, and at most two more until the third try.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  expect(requests.length).toBeLessThanOrEqual(3);
  expect((await stats(page)).pending).toBeGreaterThan(50);
});

test("the page's own instrumentation of fetch does not see the requests", async () => {
  await page.evaluate(() => {
    const watched = Object.assign(
      (...given: Parameters<typeof fetch>) => {
        (window as unknown as { calls: number }).calls = ((window as unknown as { calls?: number }).calls ?? 0) + 1;
        return watched.__original(...given);
      },
      { __original: window.fetch.bind(window) },
    );
    window.fetch = watched;
  });
  await open(page);
  await predict(page, 5);
  await flush(page);
  await settled(page);
  expect(await page.evaluate(() => (window as unknown as { calls?: number }).calls ?? 0)).toBe(0);
  expect(receiver.count("ml.inference.items")).toBe(5);
});

test("no secret is in any byte that is sent", async () => {
  const SECRETS = ["s3cr3t", "alice", "4711", "passport", "0.123456789", "hunter2"];
  const secret = await visitAt("?user=alice&token=s3cr3t#passport");
  await open(secret, { messages: true, classes: true });
  await secret.evaluate(async () => {
    document.title = "alice 4711";
    const { model, client } = window;
    const { id } = await model.predict(new Float32Array(784).fill(0.123456789));
    await model.feedback(id, { label: "7" });
    const fails = (run: Promise<unknown>) => run.catch(() => undefined);
    await fails(model.predict({ "hunter2 alice": new Float32Array(1) }));
    await fails(model.feedback(id, { label: "alice s3cr3t" }));
    await fails(model.predict(new Blob(["passport s3cr3t"], { type: "image/png" })));
    await fails(client.load("/orders/4711/?token=s3cr3t"));
    await fails(client.load("/models/alice/passport.json"));
    await fails(model.predict("alice@example.org" as never));
    await client.telemetry.flush();
  });
  await settled(secret);
  expect(receiver.events("ml.inference.exception")).toBeGreaterThanOrEqual(4);
  for (const { text, headers, path, id } of receiver.received)
    for (const each of SECRETS)
      expect(
        `${text} ${JSON.stringify({ ...headers, origin: "", referer: headers.referer })} ${path} ${id}`,
      ).not.toContain(each);
});

test("a collector of the page's own origin is not told the page's address either", async () => {
  const secret = await visitAt("?user=alice&token=s3cr3t");
  const told: string[] = [];
  await secret.route("**/collect/v1/**", async (route) => {
    told.push(JSON.stringify(await route.request().allHeaders()));
    await route.fulfill({ status: 200, body: "{}" });
  });
  await open(secret, { endpoint: `${library.server.url}/collect`.replace("//collect", "/collect") });
  await predict(secret, 3);
  await flush(secret);
  await settled(secret);
  expect(told.length).toBeGreaterThan(0);
  expect(told.join()).not.toMatch(/alice|s3cr3t/);
  expect(told.join()).toContain('"origin":"http');
});

async function visitAt(path: string): Promise<Page> {
  const opened = await library.chromium.context.newPage();
  await opened.goto(library.server.url + path);
  await importLibrary(opened);
  return opened;
}

test("consent: pending keeps, denied forgets all, also what is in the outbox", async () => {
  await open(page, { consent: "pending" });
  await predict(page, 10);
  await flush(page);
  expect(receiver.received).toEqual([]);
  await page.evaluate(() => window.client.telemetry.setConsent("granted"));
  await flush(page);
  await settled(page);
  expectOnce(10);
  receiver.reply = () => "reset";
  await predict(page, 10);
  await flush(page);
  await page.evaluate(() => window.client.telemetry.setConsent("denied"));
  await predict(page, 1);
  const { dropped } = await settled(page);
  expect(dropped.consent).toBeGreaterThan(20);
  const left = await page.evaluate(async () => {
    const counts: number[] = [];
    for (const { name } of await indexedDB.databases()) {
      if (!name?.endsWith("-telemetry")) continue;
      const db = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => resolve(request.result);
      });
      const count = db.transaction("rows").objectStore("rows").count();
      await new Promise((resolve) => {
        count.onsuccess = resolve;
      });
      counts.push(count.result);
      db.close();
    }
    return counts;
  });
  expect(left.at(-1)).toBe(0);
});

test("under Global Privacy Control there are sums, and no event; or nothing, where the site says so", async () => {
  const gpc = () => Object.defineProperty(navigator, "globalPrivacyControl", { value: true });
  await page.evaluate(gpc);
  await open(page);
  await predict(page, 5);
  await flush(page);
  await settled(page);
  expect(receiver.count("ml.inference.items")).toBe(5);
  expect(receiver.received.some(({ path }) => path === "/v1/logs")).toBe(false);
  const other = await visit();
  await page.close();
  receiver.received.splice(0);
  await other.evaluate(gpc);
  await open(other, { globalPrivacyControl: "off" });
  await predict(other, 5);
  await flush(other);
  expect((await settled(other)).dropped.privacy).toBeGreaterThan(4);
  expect(receiver.received).toEqual([]);
});

test("beforeSend changes what is sent, or forbids it; when it throws, nothing is sent", async () => {
  await page.evaluate(async (endpoint) => {
    let batches = 0;
    window.client = window.insitu.createClient({
      backends: ["cpu"],
      telemetry: {
        endpoint,
        sampling: 1,
        beforeSend(batch) {
          batches += 1;
          if (batches === 1) return { ...batch, events: [] };
          if (batches === 2) return null;
          throw new Error("The page's own mistake.");
        },
        // Else a batch is looked at once more when it is taken back from the browser.
        keepalive: false,
      },
    });
    window.model = await window.client.load("/models/digits/", { task: "classification" });
    for (let round = 0; round < 3; round += 1) {
      await window.model.predict(new Float32Array(784));
      await window.client.telemetry.flush();
    }
  }, receiver.url);
  const { dropped } = await settled(page);
  expect(receiver.count("ml.inference.items")).toBe(1);
  expect(receiver.events("ml.prediction")).toBe(0);
  expect(dropped.before_send).toBeGreaterThanOrEqual(4);
});

test("a custom exporter gets each request, and its answer counts", async () => {
  const books = await page.evaluate(async () => {
    const got: string[] = [];
    window.client = window.insitu.createClient({
      backends: ["cpu"],
      telemetry: {
        sampling: 1,
        async exporter({ id, path, body }) {
          got.push(`${path} ${id.length} ${JSON.parse(body) !== null}`);
          return path === "/v1/logs" ? "drop" : "sent";
        },
      },
    });
    window.model = await window.client.load("/models/digits/", { task: "classification" });
    await window.model.predict(new Float32Array(784));
    await window.client.telemetry.flush();
    return { got, stats: window.client.telemetry.stats() };
  });
  expect(books.got).toEqual(["/v1/metrics 32 true", "/v1/logs 32 true"]);
  expect(books.stats.dropped.rejected).toBe(2);
});
