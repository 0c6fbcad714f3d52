// The queue of one sink: bounded, one request at a time, and its errors stay its own.
import { describe, expect, it } from "vitest";
import { createSinkQueue } from "../src/sinks/queue.js";
import type { Delivery, SendResult, Sink, SinkBatch } from "../src/sinks/sink.js";

const id = (n: number) => n.toString(16).padStart(32, "0");

describe("a queue", () => {
  const passed = {} as SinkBatch;
  const queueOf = (send: (delivery: Delivery) => Promise<SendResult>, size = 10) =>
    createSinkQueue({ name: "x", pack: () => [{ body: "b".repeat(size), items: 1 }], send }, async () => undefined);

  it("is bounded: the oldest go, and are counted", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const queue = queueOf(async () => held.then(() => ({ kind: "done", failed: 0 })), 1024 * 1024);
    for (let i = 0; i < 100; i += 1) queue.offer(passed);
    const { waiting, dropped } = queue.counts();
    expect(waiting).toBeLessThanOrEqual(32);
    expect(waiting + dropped).toBe(99);
    release();
    await queue.close(5_000);
    expect(queue.counts()).toMatchObject({ waiting: 0, sent: waiting + 1 });
  });

  it.each<[string, Pick<Sink, "pack" | "send">]>([
    [
      "cannot write a batch",
      {
        pack() {
          throw new RangeError("deep");
        },
        send: async () => ({ kind: "done", failed: 0 }),
      },
    ],
    [
      "throws when it sends",
      {
        pack: () => [{ body: "b", items: 3 }],
        send() {
          throw new Error("at once");
        },
      },
    ],
  ])("whose sink %s reaches nobody else, and counts it", async (_name, sink) => {
    const queue = createSinkQueue({ name: "x", ...sink });
    queue.offer({ id: id(1), otlp: [], points: Array(3), events: [] });
    expect(await queue.close(1_000)).toEqual([]);
    expect(queue.counts()).toMatchObject({ dropped: 3, sent: 0, waiting: 0 });
  });

  it("has one request on its way at a time", async () => {
    let open = 0;
    let most = 0;
    const queue = queueOf(async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setTimeout(resolve, 1));
      open -= 1;
      return { kind: "done", failed: 0 };
    });
    for (let i = 0; i < 20; i += 1) queue.offer(passed);
    await queue.close(5_000);
    expect([most, queue.counts().sent]).toEqual([1, 20]);
  });
});
