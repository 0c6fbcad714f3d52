// The webhook against receivers that are down, slow, full, gone or wrong; reports, retries, cool-down and hysteresis of a real collector.
import { createHmac } from "node:crypto";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RetrainOptions } from "../src/retrain/config.js";
import type { RetrainStatus } from "../src/retrain/retrain.js";
import { counter, counterPoint, metricsBody } from "./support/otlp.js";
import { sendOutcomes } from "./support/outcomes.js";
import { type Receiver, startReceiver } from "./support/receiver.js";
import { figure, post, until, withCollector } from "./support/run.js";

const SECRET = "a secret of the operator";
const TOKEN = { authorization: "Bearer operator" };
let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

type Given = Partial<RetrainOptions["models"][string]>;

function options(model: Given, webhook: object = {}): { retrain: RetrainOptions; operatorToken: string } {
  const given = { url: receiver.url, secret: SECRET, timeout: 400, attempts: 4, firstDelay: 40, maxDelay: 5_000 };
  const triggers = { labels: { count: 50 } };
  const digits = { webhook: { ...given, ...webhook }, triggers, coolDown: 0, ...model };
  return { retrain: { checkEvery: 50, models: { digits } }, operatorToken: "operator" };
}

async function statusOf(url: string): Promise<RetrainStatus> {
  const [status] = (await (await fetch(`${url}/v1/retrain?model=digits`)).json()) as RetrainStatus[];
  return status as RetrainStatus;
}

const newestRun = async (url: string) => (await statusOf(url)).runs[0];

/** Waits until the newest run has this state. */
const inState = (url: string, state: string) =>
  until(`a run that is ${state}`, 20_000, async () => {
    const run = await newestRun(url);
    return run?.state === state ? run : undefined;
  });

const report = (url: string, id: string, body: unknown, headers = TOKEN) =>
  post(`${url}/v1/retrain/${id}`, body, headers);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a webhook that arrives", () => {
  it("is signed, says what fired it, and the run goes on as its receiver reports", async () => {
    await withCollector(options({}), async ({ url }) => {
      await sendOutcomes(url, { correct: 49 });
      await pause(300);
      expect(receiver.got).toEqual([]);
      await sendOutcomes(url, { incorrect: 1 });
      const { id } = await inState(url, "sent");
      const [got] = receiver.got;
      expect(got?.body).toEqual({
        id,
        model: "digits",
        version: "1.0.0",
        trigger: "labels",
        evidence: { labels: 50, count: 50, since: expect.any(Number) },
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      });
      expect(Date.now() - got?.body.evidence.since).toBeLessThan(3_600_000 + 60_000);
      const hmac = createHmac("sha256", SECRET)
        .update(got?.text ?? "")
        .digest("hex");
      expect(got?.headers).toMatchObject({ "x-insitu-signature": `sha256=${hmac}`, "idempotency-key": id });
      expect((await report(url, id, { state: "running" })).status).toBe(200);
      const done = await report(url, id, { state: "done", version: "1.1.0" });
      expect([done.status, await done.json()]).toEqual([200, { id, state: "done" }]);
      // The same word twice, as of a receiver that lost the response.
      expect((await report(url, id, { state: "done", version: "1.1.0" })).status).toBe(200);
      expect((await report(url, id, { state: "running" })).status).toBe(409);
      expect(await newestRun(url)).toMatchObject({
        state: "done",
        newVersion: "1.1.0",
        attempts: [{ number: 1, result: "ok", status: 200 }],
      });
      expect(receiver.got.length).toBe(1);
      expect(await figure(url, 'insitu_collector_retrain_runs_total{ml_model_name="digits",trigger="labels"}')).toBe(1);
      expect(await figure(url, 'insitu_collector_retrain_ended_runs{ml_model_name="digits",state="done"}')).toBe(1);
    });
  });

  it("a receiver that reports before it answers is believed", async () => {
    await withCollector(options({}), async ({ url }) => {
      receiver.answer = (response) => {
        const { id } = receiver.got[0]?.body ?? {};
        void report(url, id, { state: "done" }).then(() => response.end());
      };
      await sendOutcomes(url, { correct: 50 });
      const run = await inState(url, "done");
      await pause(300);
      expect(await newestRun(url)).toMatchObject({ id: run.id, state: "done" });
    });
  });
});

describe("a receiver that fails", () => {
  it("down: attempts with growing waits, then a dead letter, then a retry with the same id", async () => {
    await receiver.close();
    await withCollector(options({ coolDown: "1h" }), async ({ url }) => {
      await sendOutcomes(url, { correct: 50 });
      const dead = await inState(url, "dead");
      expect(dead.detail).toMatch(/^4 attempts failed, the last one with: fetch failed: ECONNREFUSED/);
      expect(dead.attempts.map(({ result }) => result)).toEqual(["retry", "retry", "retry", "retry"]);
      const times = dead.attempts.map(({ at }) => at);
      const waits = times.slice(1).map((at, i) => at - (times[i] as number));
      for (const [i, wait] of waits.entries()) expect(wait, `wait ${i}`).toBeGreaterThanOrEqual(20 * 2 ** i);
      expect(await figure(url, 'insitu_collector_retrain_ended_runs{ml_model_name="digits",state="dead"}')).toBe(1);
      const failedAt = 'insitu_collector_retrain_last_failure_timestamp_seconds{ml_model_name="digits"}';
      expect((await figure(url, failedAt)) ?? 0).toBeGreaterThan(Date.now() / 1_000 - 60);
      receiver = await startReceiver(receiver.port);
      expect((await post(`${url}/v1/retrain/${dead.id}/retry`, {}, TOKEN)).status).toBe(200);
      await inState(url, "sent");
      expect(receiver.got.map(({ body }) => body.id)).toEqual([dead.id]);
      expect((await post(`${url}/v1/retrain/${dead.id}/retry`, {}, TOKEN)).status).toBe(409);
      expect(await figure(url, failedAt)).toBe(0);
    });
  });

  it.each([
    ["answers 500", (response) => void response.writeHead(500).end("oops"), { status: 500, detail: "oops" }],
    ["answers too late", () => undefined, { status: null, detail: "no response within 400 ms" }],
    [
      "begins a response and stops",
      (response) => void response.writeHead(503, { "content-length": "1000" }).write("wait"),
      { status: null, detail: "no response within 400 ms" },
    ],
    ["disconnects", (response) => void response.destroy(), { status: null }],
  ] as [string, Receiver["answer"], object][])("that %s gets the same webhook again", async (_what, answer, first) => {
    await withCollector(options({}), async ({ url }) => {
      receiver.answer = (response, number) => (number < 3 ? answer(response, number) : void response.end());
      await sendOutcomes(url, { correct: 50 });
      const run = await inState(url, "sent");
      expect(run.attempts.map(({ result }) => result)).toEqual(["retry", "retry", "ok"]);
      expect(run.attempts[0]).toMatchObject(first);
      expect(new Set(receiver.got.map(({ text }) => text)).size).toBe(1);
    });
  });

  it("that answers what is not HTTP gets it again", async () => {
    await receiver.close();
    const server = createServer(
      (socket) =>
        void socket
          .on("error", () => undefined)
          .resume()
          .end("What do you want?\n"),
    );
    await new Promise<void>((resolve) => server.listen(receiver.port, "127.0.0.1", resolve));
    await withCollector(options({ coolDown: "1h" }), async ({ url }) => {
      await sendOutcomes(url, { correct: 50 });
      const run = await inState(url, "dead");
      expect(run.attempts.map(({ result, status }) => [result, status])).toEqual(Array(4).fill(["retry", null]));
    });
    await new Promise((resolve) => server.close(resolve));
    receiver = await startReceiver();
  });

  it("whose response never ends is told by its status", async () => {
    await withCollector(options({}), async ({ url }) => {
      receiver.answer = (response) => {
        const timer = setInterval(() => response.write("x".repeat(65_536)), 1);
        response.on("close", () => clearInterval(timer)).on("error", () => undefined);
      };
      await sendOutcomes(url, { correct: 50 });
      expect((await inState(url, "sent")).attempts.length).toBe(1);
    });
  });

  it.each([
    ["seconds", { "retry-after": "1" }, 1_000],
    // Its clock is ten years behind: what counts is the difference.
    ["a date", { date: "Sat, 28 Nov 2016 10:00:00 GMT", "retry-after": "Sat, 28 Nov 2016 10:00:01 GMT" }, 1_000],
    ["a year, which is cut to the longest wait", { "retry-after": "31536000" }, 1_500],
  ])("that answers 429 is waited for, as long as it says in %s", async (_what, headers, ms) => {
    await withCollector(options({}, { maxDelay: 1_500 }), async ({ url }) => {
      receiver.answer = (response, number) => void (number === 1 ? response.writeHead(429, headers) : response).end();
      await sendOutcomes(url, { correct: 50 });
      await inState(url, "sent");
      const [first, second] = receiver.got;
      const waited = (second?.at ?? 0) - (first?.at ?? 0);
      expect(waited).toBeGreaterThanOrEqual(ms - 20);
      expect(waited).toBeLessThan(ms + 2_000);
    });
  });

  it("that redirects is not followed, nor tried again", async () => {
    const other = await startReceiver();
    await withCollector(options({ coolDown: "1h" }), async ({ url }) => {
      receiver.answer = (response) => void response.writeHead(307, { location: other.url }).end();
      await sendOutcomes(url, { correct: 50 });
      const run = await inState(url, "dead");
      expect(run.detail).toContain(`HTTP 307 It redirects to ${other.url}; give the final address.`);
      expect([receiver.got.length, other.got.length]).toEqual([1, 0]);
    });
    await other.close();
  });

  it("that answers 404 is not tried again", async () => {
    await withCollector(options({ coolDown: "1h" }), async ({ url }) => {
      receiver.answer = (response) => void response.writeHead(404).end("no such hook");
      await sendOutcomes(url, { correct: 50 });
      expect((await inState(url, "dead")).detail).toBe("The receiver refused the webhook: HTTP 404 no such hook");
      expect(receiver.got.length).toBe(1);
    });
  });
});

describe("one run at a time", () => {
  it("labels that arrive during a run are for the next one, after the cool-down", async () => {
    await withCollector(options({ coolDown: 1_500 }), async ({ url }) => {
      await sendOutcomes(url, { correct: 50 });
      const first = await inState(url, "sent");
      await sendOutcomes(url, { correct: 60 });
      await until("the trigger to be held back", 10_000, async () =>
        (await statusOf(url)).triggers[0]?.heldBack === "running" ? true : undefined,
      );
      await report(url, first.id, { state: "done", version: "1.0.1" });
      const { coolsUntil } = await statusOf(url);
      await until("the trigger to be held back", 10_000, async () =>
        (await statusOf(url)).triggers[0]?.heldBack === "cool_down" ? true : undefined,
      );
      expect(receiver.got.length).toBe(1);
      const second = await until("the second run", 10_000, async () => {
        const run = await newestRun(url);
        return run?.id === first.id ? undefined : run;
      });
      expect(second?.firedAt).toBeGreaterThanOrEqual(coolsUntil as number);
      expect(second?.evidence).toMatchObject({ labels: 60 });
    });
  });

  it("labels of another version do not count, nor outcomes that are neither right nor wrong", async () => {
    await withCollector(options({ coolDown: "1h" }), async ({ url }) => {
      await sendOutcomes(url, { correct: 40 });
      await sendOutcomes(url, { version: "1.1.0", arm: "canary", correct: 30 });
      const perhaps = counterPoint("30", { "ml.model.name": "digits", "ml.prediction.outcome": "perhaps" });
      const metric = counter([perhaps], { name: "ml.prediction.outcomes", unit: "{prediction}" });
      const answer = await post(`${url}/v1/metrics`, metricsBody([metric]));
      expect(await answer.text()).toContain("correct or incorrect");
      await pause(300);
      expect(receiver.got).toEqual([]);
      expect((await statusOf(url)).triggers[0]?.evidence).toMatchObject({ labels: 40 });
      await sendOutcomes(url, { correct: 10 });
      expect((await inState(url, "sent")).evidence).toMatchObject({ labels: 50 });
    });
  });

  it("a run without word counts as failed, and its late word is still taken", async () => {
    await withCollector(options({ runLimit: 300, coolDown: "1h" }), async ({ url }) => {
      await sendOutcomes(url, { correct: 50 });
      const { id } = await inState(url, "sent");
      await report(url, id, { state: "running" });
      expect((await inState(url, "expired")).detail).toContain("no word of the run for 300 ms");
      expect((await report(url, id, { state: "failed", detail: "the disk was full" })).status).toBe(200);
      expect(await newestRun(url)).toMatchObject({ state: "failed", detail: "the disk was full" });
    });
  });
});

describe("who may do what", () => {
  it("reports need the operator's token and a body that is one", async () => {
    await withCollector({ ...options({ coolDown: "1h" }), readToken: "reader" }, async ({ url }) => {
      const read = { headers: { authorization: "Bearer reader" } };
      expect((await fetch(`${url}/v1/retrain`)).status).toBe(401);
      expect((await fetch(`${url}/v1/retrain`, { headers: { authorization: "Bearer x" } })).status).toBe(401);
      expect((await fetch(`${url}/v1/retrain`, read)).status).toBe(200);
      expect((await fetch(`${url}/v1/retrain?model=cats`, read)).status).toBe(404);
      const id = "0".repeat(32);
      expect((await report(url, id, { state: "done" }, { authorization: "Bearer reader" })).status).toBe(401);
      expect((await report(url, id, { state: "done" })).status).toBe(404);
      for (const body of [{}, { state: "sent" }, { state: "done", x: 1 }, [], null, { state: "done", version: "" }]) {
        const { status, statusText } = await report(url, id, body);
        expect([status, statusText], JSON.stringify(body)).toEqual([400, "Bad Request"]);
      }
      expect((await post(`${url}/v1/retrain/${id}`, "{", TOKEN)).status).toBe(400);
    });
  });

  it("without an operator token nobody may report, and without --retrain there is no route", async () => {
    const { retrain } = options({});
    await withCollector({ retrain }, async ({ url }) => {
      const response = await report(url, "0".repeat(32), { state: "done" });
      expect([response.status, await response.text()]).toEqual([403, expect.stringContaining("--operator-token")]);
    });
    await withCollector({}, async ({ url }) => expect((await fetch(`${url}/v1/retrain`)).status).toBe(404));
  });
});
