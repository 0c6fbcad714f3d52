// Whatever fails, network, collector or page: each record arrives once or is counted as dropped.
import { crash } from "../../../../support/crash.js";
import { expect, test } from "../../../../support/fixtures.js";
import { expectOnce, flush, open, predict, settled, stats } from "../../../../support/telemetry-page.js";

test("without faults each prediction arrives once, without its class unless the page asks for it", async ({
  page,
  receiver,
}) => {
  await open(page, receiver);
  await predict(page, 120);
  await flush(page);
  const { dropped } = await settled(page);
  expect(dropped).toEqual({});
  expectOnce(receiver, 120);
  expect(receiver.received.every(({ id }) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  expect(receiver.received.map(({ text }) => text).join()).not.toContain("ml.prediction.class");
  expect(receiver.received.some(({ headers }) => headers["content-encoding"] === "gzip")).toBe(true);
});

test("a network that fails and returns loses no record", async ({ page, receiver, library }) => {
  await open(page, receiver);
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
  expectOnce(receiver, 100);
});

test.for([
  ["503", { status: 503 }],
  [
    "429 with Retry-After",
    { status: 429, headers: { "retry-after": "1", "access-control-expose-headers": "retry-after" } },
  ],
  ["502", { status: 502 }],
] as const)(
  "after several answers of %s all records arrive, one request at a time",
  async ([_name, reply], { page, receiver }) => {
    let open_ = 0;
    receiver.reply = (_request, number) => {
      open_ = Math.max(open_, receiver.received.filter(({ id }) => id === receiver.received.at(-1)?.id).length);
      return number <= 3 ? reply : { status: 200 };
    };
    await open(page, receiver);
    await predict(page, 60);
    await flush(page);
    await settled(page);
    expectOnce(receiver, 60);
    // Tried again under the same name.
    expect(open_).toBeGreaterThan(1);
  },
);

test("what a collector refuses is dropped and counted, and not sent again", async ({ page, receiver }) => {
  receiver.reply = () => ({ status: 400 });
  await open(page, receiver);
  await predict(page, 10);
  await flush(page);
  const { sent, dropped } = await settled(page);
  expect(sent).toBe(0);
  expect(dropped.rejected).toBeGreaterThan(20);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a partial success is final", async ({ page, receiver }) => {
  receiver.reply = ({ path }) =>
    path === "/v1/logs"
      ? { status: 200, body: JSON.stringify({ partialSuccess: { rejectedLogRecords: "3", errorMessage: "no" } }) }
      : { status: 200 };
  await open(page, receiver);
  await predict(page, 10);
  await flush(page);
  const { dropped } = await settled(page);
  expect(dropped.partial).toBeGreaterThanOrEqual(3);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("what a page could not send, the site's next page does", async ({ page, visit, receiver }) => {
  receiver.reply = () => "reset";
  const store = await open(page, receiver);
  await predict(page, 30);
  await flush(page);
  await page.close();
  receiver.reply = () => ({ status: 200 });
  receiver.received.splice(0);
  const next = await visit();
  await open(next, receiver, {}, store);
  await flush(next);
  await settled(next);
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(30);
  expectOnce(receiver, 30);
});

test("of two tabs one sends what is in the outbox", async ({ page, visit, receiver }) => {
  receiver.reply = () => "reset";
  const store = await open(page, receiver);
  await predict(page, 60);
  await flush(page);
  await page.close();
  receiver.reply = () => ({ status: 200 });
  receiver.received.splice(0);
  const tabs = [await visit(), await visit()];
  await Promise.all(tabs.map((tab) => open(tab, receiver, {}, store)));
  await Promise.all(tabs.map(flush));
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(60);
  const ids = receiver.received.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test.for([
  ["fetchLater", {}],
  ["keepalive", {}],
  ["sendBeacon", { keepalive: false }],
  ["the beacon protocol", { protocol: "beacon" }],
] as const)("a page that is closed sends what it has by %s", async ([name, options], { page, receiver }) => {
  if (name === "keepalive")
    await page.evaluate(() => Object.defineProperty(window, "fetchLater", { value: undefined }));
  await open(page, receiver, { ...options, flushInterval: 600_000 });
  await predict(page, 20);
  await page.close({ runBeforeUnload: true });
  const texts = () => receiver.received.map(({ text }) => text).join();
  await expect.poll(() => texts().split('"ml.prediction"').length - 1, { timeout: 20_000 }).toBe(20);
  if (name !== "the beacon protocol") expectOnce(receiver, 20);
  else expect(receiver.received.every(({ headers }) => headers["content-type"] === "text/plain")).toBe(true);
});

test("a page that crashes has handed its records to the browser", async ({ page, receiver }) => {
  await open(page, receiver, { flushInterval: 600_000 });
  await predict(page, 20);
  // New records are handed over once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await crash(page);
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(20);
  expectOnce(receiver, 20);
});

test("records handed to the browser are not sent again later", async ({ page, receiver }) => {
  await open(page, receiver, { flushInterval: 600_000 });
  for (let round = 0; round < 4; round += 1) {
    await predict(page, 5);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
  }
  await flush(page);
  await predict(page, 5);
  await page.close({ runBeforeUnload: true });
  await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(25);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expectOnce(receiver, 25);
});

test("a collector that hangs costs no prediction, and the memory stays bounded", async ({ page, receiver }) => {
  receiver.reply = () => "hang";
  await open(page, receiver);
  await predict(page, 2_000);
  const { recorded, pending, dropped, sent } = await stats(page);
  expect(recorded).toBeGreaterThan(4_000);
  expect(pending + sent + Object.values(dropped).reduce((a, b) => a + b, 0)).toBe(recorded);
  // One hangs, and all others wait for it.
  expect(receiver.received.length).toBeLessThan(10);
});

test("after three blocked requests, no more are sent", async ({ page, receiver }) => {
  await page.route(`${receiver.url}/**`, (route) => route.abort("blockedbyclient"));
  const requests: string[] = [];
  page.on("request", (request) => request.url().startsWith(receiver.url) && requests.push(request.url()));
  await open(page, receiver);
  for (let round = 0; round < 5; round += 1) {
    await predict(page, 5);
    await flush(page);
  }
  // A second, and at most two more until the third try.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  expect(requests.length).toBeLessThanOrEqual(3);
  expect((await stats(page)).pending).toBeGreaterThan(50);
});
