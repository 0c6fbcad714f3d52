// Collectors that want headers, endpoints that are given with a path of OTLP, and options of telemetry that do not fit.

import { expect, test } from "../../../../support/fixtures.js";
import { open, predict, settled } from "../../../../support/telemetry-page.js";

const SECRET = "Bearer very-secret";
const headers = { Authorization: SECRET, "X-Scope-OrgID": "shop" };

test("headers go along with every request, and a collector without them refuses", async ({ page, receiver }) => {
  receiver.reply = (request) => ({ status: request.headers.authorization === SECRET ? 200 : 401 });
  await open(page, receiver);
  await predict(page, 2);
  expect((await settled(page)).sent).toBe(0);
  receiver.received.length = 0;
  await open(page, receiver, { headers });
  await predict(page, 3);
  const { sent, recorded } = await settled(page);
  expect(sent).toBe(recorded);
  expect(receiver.received.length).toBeGreaterThan(1);
  for (const request of receiver.received)
    expect(request.headers).toMatchObject({
      authorization: SECRET,
      "x-scope-orgid": "shop",
      "content-type": "application/json",
    });
});

test("a content type among the headers does not replace the body's", async ({ page, receiver }) => {
  await open(page, receiver, { headers: { "Content-Type": "text/wrong", "content-encoding": "br" } });
  await predict(page, 1);
  await settled(page);
  for (const request of receiver.received) expect(request.headers["content-type"]).toBe("application/json");
});

test("they go along when the page ends, with what the browser sends itself", async ({ visit, receiver }) => {
  const page = await visit();
  await open(page, receiver, { headers, flushInterval: 600_000 });
  await predict(page, 2);
  await page.close({ runBeforeUnload: true });
  await expect.poll(() => receiver.count("ml.inference.items")).toBe(2);
  for (const request of receiver.received) expect(request.headers.authorization).toBe(SECRET);
});

test("without keepalive nothing leaves without them: a beacon has no headers", async ({ visit, receiver }) => {
  const leave = async (path: string, options: Parameters<typeof open>[2]) => {
    const page = await visit();
    await open(page, receiver, {
      ...options,
      endpoint: receiver.url + path,
      keepalive: false,
      flushInterval: 600_000,
    });
    await predict(page, 2);
    await page.goto("about:blank");
  };
  const sentTo = (path: string) => receiver.received.filter((request) => request.path.startsWith(path));
  // Without headers the same page does send a beacon when it ends.
  await leave("/plain", {});
  await expect.poll(() => sentTo("/plain").length).toBeGreaterThan(0);
  await leave("/secret", { headers });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const request of sentTo("/secret")) expect(request.headers.authorization).toBe(SECRET);
});

const ENDPOINTS: [given: string, base: string, query?: string][] = [
  ["/", ""],
  ["/v1/metrics", ""],
  ["/v1/logs/", ""],
  ["/otlp/v1/metrics", "/otlp"],
  ["/otlp//", "/otlp"],
  ["/otlp/v1/traces?key=a%26b&x=1#part", "/otlp", "key=a%26b&x=1"],
];

test("an endpoint that ends in a path of OTLP is understood, and its query string is kept", async ({
  page,
  receiver,
}) => {
  for (const [index, [given, base, query]] of ENDPOINTS.entries()) {
    // A path of its own: the page before may still be sending.
    const own = `/case-${index}`;
    await open(page, receiver, { endpoint: receiver.url + own + given });
    await predict(page, 1);
    await settled(page);
    const received = receiver.received.filter(({ path }) => path.startsWith(`${own}/`));
    const paths = received.map(({ path }) => path);
    expect(new Set(paths), given).toEqual(new Set([`${own}${base}/v1/metrics`, `${own}${base}/v1/logs`]));
    if (query) for (const { url } of received) expect(url, given).toContain(`&${query}`);
  }
});

test("an endpoint that is relative to the page is the page's host", async ({ page, receiver, library }) => {
  const asked = page.waitForRequest((request) => request.url().includes("/collect/v1/metrics"));
  await open(page, receiver, { endpoint: "/collect/" });
  await predict(page, 1);
  expect(new URL((await asked).url()).origin).toBe(new URL(library.server.url).origin);
});

/** Options that do not fit, and the name that the error has for each. */
const WRONG: [telemetry: string, option: string][] = [
  ["{}", "endpoint"],
  ["{ sampling: 1 }", "endpoint"],
  ["{ endpoint: '' }", "endpoint"],
  ["{ endpoint: 5 }", "endpoint"],
  ["{ endpoint: 'http://' }", "endpoint"],
  ["{ endpoint: 'ftp://collector.example' }", "endpoint"],
  ["{ endpoint: 'https://user:very-secret@collector.example' }", "endpoint"],
  ["{ endpoint: '/c', consent: 'yes' }", "consent"],
  ["{ endpoint: '/c', consent: true }", "consent"],
  ["{ endpoint: '/c', sampling: 2 }", "sampling"],
  ["{ endpoint: '/c', sampling: -0.1 }", "sampling"],
  ["{ endpoint: '/c', sampling: NaN }", "sampling"],
  ["{ endpoint: '/c', sampling: '1' }", "sampling"],
  ["{ endpoint: '/c', service: 'shop' }", "service"],
  ["{ endpoint: '/c', service: {} }", "service.name"],
  ["{ endpoint: '/c', service: { name: 5 } }", "service.name"],
  ["{ endpoint: '/c', service: { name: 'a', version: 5 } }", "service.version"],
  ["{ endpoint: '/c', protocol: 'grpc' }", "protocol"],
  ["{ endpoint: '/c', histogram: 'linear' }", "histogram"],
  ["{ endpoint: '/c', globalPrivacyControl: 'ignore' }", "globalPrivacyControl"],
  ["{ endpoint: '/c', keepalive: true }", "keepalive"],
  ["{ endpoint: '/c', flushInterval: 0 }", "flushInterval"],
  ["{ endpoint: '/c', writeKey: 5 }", "writeKey"],
  ["{ endpoint: '/c', privacy: { epsilon: 0 } }", "privacy.epsilon"],
  ["{ endpoint: '/c', beforeSend: 'x' }", "beforeSend"],
  ["{ endpoint: '/c', classes: 'all' }", "classes"],
  ["{ endpoint: '/c', headers: { 'a b': 'very-secret' } }", "headers"],
  ["{ endpoint: '/c', headers: 'very-secret' }", "headers"],
  ["{ exporter: 'https://collector.example' }", "exporter"],
  ["{ otel: {} }", "otel"],
  ["{ otel: { meter: {} } }", "otel.meter"],
  ["{ otel: { logger: 5 } }", "otel.logger"],
];

test("an option that does not fit rejects the load, and the error names it", async ({ page }) => {
  const uncaught: string[] = [];
  page.on("pageerror", ({ message }) => uncaught.push(message));
  const told = await page.evaluate(
    async (all) => {
      const told: { code: string; option: unknown; message: string }[] = [];
      for (const telemetry of all) {
        const client = window.insitu.createClient({
          telemetry: new Function(`return ${telemetry}`)(),
          backends: ["cpu"],
        });
        await client.load("/models/digits/").then(
          () => told.push({ code: "loaded", option: "", message: "" }),
          ({ code, data, message }) =>
            told.push({ code, option: data?.option, message: message + JSON.stringify(data) }),
        );
        await client.dispose();
      }
      return told;
    },
    WRONG.map(([telemetry]) => telemetry),
  );
  for (const [index, [telemetry, option]] of WRONG.entries()) {
    expect(told[index], telemetry).toMatchObject({ code: "input_invalid", option: `telemetry.${option}` });
    expect(told[index]?.message).not.toContain("very-secret");
  }
  expect(uncaught).toEqual([]);
});

test("right options of every kind load, and null is none", async ({ page, receiver }) => {
  const codes = await page.evaluate(async (endpoint) => {
    const logger = { emit: () => undefined };
    const meter = { createHistogram: () => ({ record() {} }), createCounter: () => ({ add() {} }) };
    const all = [
      null,
      undefined,
      { endpoint, consent: undefined, sampling: 0, service: { name: "a" } },
      { endpoint, sampling: 1, protocol: "beacon", keepalive: false, classes: true, messages: false },
      { otel: { meter, logger }, privacy: { epsilon: 2 }, histogram: "exponential" },
      { exporter: async () => "sent", globalPrivacyControl: "off", writeKey: "a", flushInterval: 5 },
    ] as never[];
    const codes: string[] = [];
    for (const telemetry of all) {
      const client = window.insitu.createClient({ telemetry, backends: ["cpu"] });
      await client.load("/models/digits/").then(
        () => codes.push(""),
        ({ code, message }) => codes.push(`${code} ${message}`),
      );
      await client.dispose();
    }
    return codes;
  }, receiver.url);
  expect(codes).toEqual(["", "", "", "", "", ""]);
});
