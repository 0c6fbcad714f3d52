// More than the collector can take: it says so at once, keeps what it promised, and is not stopped by those who send slowly.
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createAdmission } from "../src/admission.js";
import { MAX_ARRIVING, MAX_ARRIVING_OF_SENDER, MAX_WAITING_BYTES } from "../src/limits.js";
import { counter, counterPoint, logsBody, metricsBody, pairs } from "./support/otlp.js";
import { figure, post, until, withCollector } from "./support/run.js";

const GOOD = metricsBody([counter([counterPoint("1", { "error.type": "timeout" })])]);

const GZIP = { "content-encoding": "gzip" };
/** A body of about 250 kB, small on the way, so that many arrive before the first is stored. */
const LARGE = gzipSync(
  JSON.stringify(
    logsBody(
      Array.from({ length: 800 }, () => ({ eventName: "x", attributes: pairs({ "ml.model.name": "y".repeat(200) }) })),
    ),
  ),
);

/** Headers that announce 1,000 bytes, of which the last never comes; `text` gets what is answered. */
function slowSender(url: string, address: string): { socket: Socket; text: () => string; ended: Promise<void> } {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (part) => {
    text += part;
  });
  socket.on("error", () => undefined);
  socket.write(
    `POST /v1/logs HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: ${address}\r\n` +
      "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
  );
  const timer = setInterval(() => socket.write(" "), 200);
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  void ended.then(() => clearInterval(timer));
  return { socket, text: () => text, ended };
}

it("what does not fit is refused with a time to come again, and what was taken is counted", async () => {
  await withCollector({ rate: 100_000 }, async ({ url }) => {
    const answers = await Promise.all(Array.from({ length: 300 }, () => post(`${url}/v1/logs`, LARGE, GZIP)));
    const taken = answers.filter(({ status }) => status === 200).length;
    const refused = answers.filter(({ status }) => status === 503);
    expect(taken + refused.length).toBe(300);
    expect(taken).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused) {
      expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(2);
      expect(Number(headers.get("retry-after"))).toBeLessThanOrEqual(10);
    }
    expect(await figure(url, "insitu_collector_events_total")).toBe(taken * 800);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await figure(url, "insitu_collector_shed_total")).toBe(refused.length);
    expect(await figure(url, "insitu_collector_waiting_bytes")).toBe(0);
    expect(await figure(url, "insitu_collector_arriving")).toBe(0);
    expect((await post(`${url}/v1/metrics`, GOOD)).status).toBe(200);
  });
});

// They wait for the time limit of a request: together.
describe.concurrent("slow senders", { timeout: 60_000 }, () => {
  it("those who send slowly have some places, not all, and are ended", async ({ expect }) => {
    await withCollector({ rate: 10_000, trustProxy: 1 }, async ({ url }) => {
      const slow = Array.from({ length: MAX_ARRIVING_OF_SENDER }, () => slowSender(url, "192.0.2.1"));
      const send = async (address: string) =>
        (await post(`${url}/v1/metrics`, GOOD, { "x-forwarded-for": address })).status;
      await until("the places to be taken", 8_000, async () => ((await send("192.0.2.1")) === 503 ? true : undefined));
      expect(await send("192.0.2.2")).toBe(200);
      // Before its body is read.
      const refused = slowSender(url, "192.0.2.1");
      await until("an answer", 8_000, async () => (refused.text().startsWith("HTTP/1.1 503") ? true : undefined));
      refused.socket.destroy();
      await Promise.all(slow.map(({ ended }) => ended));
      expect(slow[0]?.text()).toContain("408");
      expect(await send("192.0.2.1")).toBe(200);
    });
  });

  it("those who send slowly from many addresses cannot hold the places", async ({ expect }) => {
    await withCollector({ rate: 10_000, trustProxy: 1 }, async ({ url }) => {
      const slow = Array.from({ length: MAX_ARRIVING + 64 }, (_, i) => slowSender(url, `198.51.100.${i % 12}`));
      // Longer than a body may take while others wait, shorter than it may take at all.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const statuses: number[] = [];
      for (let i = 0; i < 20; i += 1)
        statuses.push((await post(`${url}/v1/metrics`, GOOD, { "x-forwarded-for": "192.0.2.2" })).status);
      expect(statuses).toEqual(new Array(20).fill(200));
      for (const { socket } of slow) socket.destroy();
    });
  });

  it("a connection that never sends a request is ended", async () => {
    await withCollector({}, async ({ port }) => {
      const socket = connect(port, "127.0.0.1").resume();
      await new Promise((resolve) => socket.once("close", resolve));
    });
  });
});

it("bytes count until the work with them has ended, also when their sender has left", async () => {
  const admission = createAdmission();
  const waiting = () => admission.metrics().find(({ name }) => name.endsWith("waiting_bytes"))?.value;
  const place = admission.enter("a", () => undefined);
  place.arrived(1_000);
  let finish: () => void = () => undefined;
  const work = place.hold(() => new Promise<void>((resolve) => (finish = resolve)));
  place.grew(MAX_WAITING_BYTES);
  place.leave();
  expect(waiting()).toBe(MAX_WAITING_BYTES + 1_000);
  expect(() => admission.enter("b", () => undefined)).toThrow("more to do than it can");
  finish();
  await work;
  expect(waiting()).toBe(0);
  admission.enter("b", () => undefined).leave();
  expect(admission.metrics().map(({ value }) => value)).toEqual([1, 0, 0]);
});
