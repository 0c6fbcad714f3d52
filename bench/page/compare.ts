// What the benchmark runs inside the page: both sides in turn, and the longest time the main thread was held.
import type { ClassScore, Client, TaskKind } from "../../src/index.js";
import type { Backend } from "../../src/types.js";
import { loadPlain } from "./plain.js";

type CreateClient = (options: { backends: Backend[]; storage?: { name: string } }) => Client;

export interface Comparison {
  /** Milliseconds of each prediction, in the order they ran. */
  plain: number[];
  insitu: number[];
  /** Best label of each side, which must agree. */
  labels: [plain: string, insitu: string];
  backend: string;
  digest: string;
}

async function photo(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

const best = (value: unknown) => (value as ClassScore[])[0]?.label ?? "";

/** Interleaved: each round runs both, and the order turns from round to round. The clock stops after read-back. */
export async function compare(
  createClient: CreateClient,
  base: string,
  picture: string,
  backend: Backend,
  rounds: number,
): Promise<Comparison> {
  const image = await photo(picture);
  const client = createClient({ backends: [backend] });
  const model = await client.load<TaskKind>(base);
  const plain = await loadPlain(base, backend);
  const sides = { plain: () => plain.predict(image), insitu: async () => (await model.predict(image)).value };
  const labels: Comparison["labels"] = [best(await sides.plain()), best(await sides.insitu())];
  const times: Record<keyof typeof sides, number[]> = { plain: [], insitu: [] };
  // Three rounds apart: code is compiled and caches are filled.
  for (let round = -3; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (["plain", "insitu"] as const) : (["insitu", "plain"] as const);
    for (const side of order) {
      const started = performance.now();
      await sides[side]();
      if (round >= 0) times[side].push(performance.now() - started);
    }
  }
  const { backend: used, digest } = model.info;
  await client.dispose();
  return { ...times, labels, backend: used, digest };
}

export interface Held {
  /** Longest task of 50 ms or more by the browser's own account; 0 when there was none. */
  longestTask: number;
  /** Longest wait of a message to itself: finer, and never less than the longest task. */
  longestWait: number;
  /** From the network into an empty store, warm-up included. */
  coldLoadMs: number;
  /** By a second client, from the store. */
  warmLoadMs: number;
}

/** Loads from the network and predicts `count` times, by the library alone, while the main thread is watched. */
export async function hold(
  createClient: CreateClient,
  base: string,
  picture: string,
  backend: Backend,
  count: number,
): Promise<Held> {
  const image = await photo(picture);
  let longestTask = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestTask = Math.max(longestTask, duration);
  });
  observer.observe({ type: "longtask" });
  const watch = watchWaits();
  const options = { backends: [backend], storage: { name: `bench-${crypto.randomUUID()}` } };
  const started = performance.now();
  const client = createClient(options);
  const model = await client.load<TaskKind>(base);
  const coldLoadMs = performance.now() - started;
  for (let n = 0; n < count; n += 1) await model.predict(image);
  const longestWait = watch.stop();
  await client.dispose();
  const again = performance.now();
  const second = createClient(options);
  await second.load<TaskKind>(base);
  const warmLoadMs = performance.now() - again;
  await second.dispose();
  observer.disconnect();
  return { longestTask, longestWait, coldLoadMs, warmLoadMs };
}

function watchWaits() {
  const { port1, port2 } = new MessageChannel();
  let longest = 0;
  let sent = performance.now();
  let on = true;
  port2.onmessage = () => {
    longest = Math.max(longest, performance.now() - sent);
    // A pause, so that watching does not itself fill the thread.
    if (on) setTimeout(ping, 2);
  };
  const ping = () => {
    sent = performance.now();
    port1.postMessage(0);
  };
  ping();
  return {
    stop() {
      on = false;
      return longest;
    },
  };
}
