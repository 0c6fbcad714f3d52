// What leaves the page: no secret, nothing without consent, and only what the page's own hooks allow.
import { expect, test } from "../../../../support/fixtures.js";
import { expectOnce, flush, open, predict, settled } from "../../../../support/telemetry-page.js";

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
