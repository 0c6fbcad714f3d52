// What leaves the page: no secret, nothing without consent, and only what the page's own hooks allow.
import type { Page } from "playwright";
import { expect, test } from "../../../../support/fixtures.js";
import { type Reply, startReceiver } from "../../../../support/receiver.js";
import { expectOnce, flush, open, predict, settled, stats } from "../../../../support/telemetry-page.js";

test("the page's own instrumentation of fetch does not see the requests", async ({ page, receiver }) => {
  await page.evaluate(() => {
    const watched = Object.assign(
      (...given: Parameters<typeof fetch>) => {
        window.calls = (window.calls ?? 0) + 1;
        return watched.__original(...given);
      },
      { __original: window.fetch.bind(window) },
    );
    window.fetch = watched;
  });
  await open(page, receiver);
  await predict(page, 5);
  await flush(page);
  await settled(page);
  expect(await page.evaluate(() => window.calls ?? 0)).toBe(0);
  expect(receiver.count("ml.inference.items")).toBe(5);
});

test("no secret is in any byte that is sent", async ({ visit, receiver }) => {
  const SECRETS = ["s3cr3t", "alice", "4711", "passport", "0.123456789", "hunter2"];
  const secret = await visit("?user=alice&token=s3cr3t#passport");
  await open(secret, receiver, { messages: true, classes: true });
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

test("a collector of the page's own origin does not receive the page's address either", async ({
  visit,
  receiver,
  library,
}) => {
  const secret = await visit("?user=alice&token=s3cr3t");
  const told: string[] = [];
  await secret.route("**/collect/v1/**", async (route) => {
    told.push(JSON.stringify(await route.request().allHeaders()));
    await route.fulfill({ status: 200, body: "{}" });
  });
  await open(secret, receiver, { endpoint: `${library.server.url}/collect`.replace("//collect", "/collect") });
  await predict(secret, 3);
  await flush(secret);
  await settled(secret);
  expect(told.length).toBeGreaterThan(0);
  expect(told.join()).not.toMatch(/alice|s3cr3t/);
  expect(told.join()).toContain('"origin":"http');
});

test("consent: pending keeps, denied forgets all, also what is in the outbox", async ({ page, receiver }) => {
  await open(page, receiver, { consent: "pending" });
  await predict(page, 10);
  await flush(page);
  expect(receiver.received).toEqual([]);
  await page.evaluate(() => window.client.telemetry.setConsent("granted"));
  await flush(page);
  await settled(page);
  expectOnce(receiver, 10);
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

test("under Global Privacy Control there are sums, and no event; or nothing, where the site says so", async ({
  page,
  visit,
  receiver,
}) => {
  const gpc = () => Object.defineProperty(navigator, "globalPrivacyControl", { value: true });
  await page.evaluate(gpc);
  await open(page, receiver);
  await predict(page, 5);
  await flush(page);
  await settled(page);
  expect(receiver.count("ml.inference.items")).toBe(5);
  expect(receiver.received.some(({ path }) => path === "/v1/logs")).toBe(false);
  const other = await visit();
  await page.close();
  receiver.received.splice(0);
  await other.evaluate(gpc);
  await open(other, receiver, { globalPrivacyControl: "off" });
  await predict(other, 5);
  await flush(other);
  expect((await settled(other)).dropped.privacy).toBeGreaterThan(4);
  expect(receiver.received).toEqual([]);
});

test("beforeSend changes what is sent, or forbids it; when it throws, nothing is sent", async ({ page, receiver }) => {
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

test("a custom exporter gets each request, and its answer counts", async ({ page }) => {
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

/** What makes a page try again: its network is back, it is shown again, it is left. */
const stir = (on: Page) =>
  on.evaluate(async () => {
    dispatchEvent(new Event("online"));
    document.dispatchEvent(new Event("visibilitychange"));
    dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  });

/** Requests that are stored for another try. */
const stored = (on: Page, store: string) =>
  on.evaluate(async (name) => {
    const known = (await indexedDB.databases()).some((database) => database.name === `${name}-telemetry`);
    if (!known) return 0;
    const opening = indexedDB.open(`${name}-telemetry`);
    await new Promise((done) => opening.addEventListener("success", done));
    const counting = opening.result.transaction("rows").objectStore("rows").count();
    await new Promise((done) => counting.addEventListener("success", done));
    opening.result.close();
    return counting.result;
  }, store);

const TROUBLE: [what: string, reply: Reply][] = [
  ["is open", "hang"],
  ["waits for another try", { status: 503, headers: { "retry-after": "1" } }],
];

for (const [what, reply] of TROUBLE) {
  test(`after consent is denied while a request ${what} nothing is sent or stored`, async ({ page, receiver }) => {
    receiver.reply = () => reply;
    const store = await open(page, receiver, { flushInterval: 50 });
    await predict(page, 3);
    await expect.poll(() => receiver.received.length).toBeGreaterThan(0);
    await page.evaluate(() => window.client.telemetry.setConsent("denied"));
    receiver.reply = () => ({ status: 200 });
    // One that had left the page before may still be noted.
    await page.waitForTimeout(300);
    const before = receiver.received.length;
    await predict(page, 3);
    await stir(page);
    await flush(page);
    await page.evaluate(() => window.client.dispose());
    expect(receiver.received.length).toBe(before);
    expect(receiver.taken().size).toBe(0);
    expect(await stored(page, store)).toBe(0);
    expect(await stats(page)).toMatchObject({ sent: 0, pending: 0, dropped: { consent: expect.any(Number) } });
  });

  test(`while consent is pending, since a request ${what}, nothing is sent or stored; once granted all arrives once`, async ({
    page,
    receiver,
  }) => {
    receiver.reply = () => reply;
    const store = await open(page, receiver, { flushInterval: 50 });
    await expect.poll(() => receiver.received.length).toBeGreaterThan(0);
    await page.evaluate(() => window.client.telemetry.setConsent("pending"));
    receiver.reply = () => ({ status: 200 });
    await page.waitForTimeout(300);
    const before = receiver.received.length;
    const kept = await stored(page, store);
    await predict(page, 3);
    await stir(page);
    await flush(page);
    expect(receiver.received.length).toBe(before);
    expect(await stored(page, store)).toBeLessThanOrEqual(kept);
    await page.evaluate(() => window.client.telemetry.setConsent("granted"));
    await settled(page);
    expectOnce(receiver, 3);
  });
}

const HOOKS: [what: string, code: string][] = [
  ["something cyclic", "batch.events[0].attributes.self = batch; return batch"],
  ["a BigInt", "batch.events[0].attributes.big = 1n; return batch"],
  ["an event that is null", "batch.events = [null]; return batch"],
  ["a batch without events", "return { metrics: batch.metrics }"],
  ["a promise", "return Promise.resolve(batch)"],
  ["a string", "return 'batch'"],
];

for (const [what, code] of HOOKS)
  test(`beforeSend that returns ${what} drops the records, and neither flush nor dispose fails`, async ({
    page,
    receiver,
  }) => {
    const counts = await page.evaluate(
      async ([endpoint, body]) => {
        const beforeSend = new Function("batch", body) as () => null;
        const telemetry = { endpoint, sampling: 1, beforeSend };
        const client = window.insitu.createClient({ backends: ["wasm"], telemetry });
        const model = await client.load("/models/digits/");
        await model.predict(new Float32Array(784));
        await client.telemetry.flush();
        await client.dispose();
        return client.telemetry.stats();
      },
      [receiver.url, code] as const,
    );
    expect(counts).toMatchObject({ sent: 0, pending: 0, dropped: { before_send: counts.recorded } });
    expect(receiver.received).toEqual([]);
  });

test("an exporter that never answers holds neither flush nor dispose for ever", async ({ page }) => {
  const ended = await page.evaluate(async () => {
    const exporter = () => new Promise<"sent">(() => undefined);
    const client = window.insitu.createClient({ backends: ["wasm"], telemetry: { exporter, sampling: 1 } });
    await client.load("/models/digits/");
    const late = new Promise((resolve) => setTimeout(resolve, 60_000, "hangs"));
    return Promise.race([client.telemetry.flush().then(() => client.dispose()), late]);
  });
  expect(ended).toBeUndefined();
});

test("a redirect is not followed: neither the key nor the records go to another host", async ({ page, receiver }) => {
  const other = await startReceiver();
  try {
    receiver.reply = ({ path }) => ({ status: 307, headers: { location: other.url + path } });
    await open(page, receiver, { writeKey: "the-key" });
    await predict(page, 3);
    await flush(page);
    expect(receiver.received.length).toBeGreaterThan(0);
    expect(other.received).toEqual([]);
  } finally {
    await other.stop();
  }
});

test("a collector that says to come back in 115 days is not asked again", async ({ page, receiver }) => {
  receiver.reply = () => ({ status: 503, headers: { "retry-after": "9999999" } });
  await open(page, receiver, { flushInterval: 50 });
  await predict(page, 3);
  await expect.poll(() => receiver.received.length).toBeGreaterThan(0);
  await page.waitForTimeout(2_000);
  expect(receiver.received.length).toBeLessThan(3);
});
