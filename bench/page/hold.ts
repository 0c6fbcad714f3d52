// Runs in the page: measures the longest time that the main thread is blocked while the library loads and predicts.
import type { TaskKind } from "../../src/index.js";
import type { Backend } from "../../src/shared/types/tensor.js";
import type { CreateClient } from "./insitu.js";
import { photo } from "./photo.js";

export interface Held {
  /** Longest task of 50 ms or more that the browser reported; 0 if there was none. */
  longestTask: number;
  /** Longest delay of a message from the page to itself: finer than the longest task, and never shorter. */
  longestWait: number;
  /** Load from the network into an empty store, including warm-up. */
  coldLoadMs: number;
  /** Load from the store by a second client. */
  warmLoadMs: number;
}

/** Loads from the network and predicts `count` times while the main thread is monitored. */
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
  const monitor = monitorDelays();
  const options = { backends: [backend], storage: { name: `bench-${crypto.randomUUID()}` } };
  const started = performance.now();
  const client = createClient(options);
  const model = await client.load<TaskKind>(base);
  const coldLoadMs = performance.now() - started;
  for (let n = 0; n < count; n += 1) await model.predict(image);
  const longestWait = monitor.stop();
  await client.dispose();
  const again = performance.now();
  const second = createClient(options);
  await second.load<TaskKind>(base);
  const warmLoadMs = performance.now() - again;
  await second.dispose();
  observer.disconnect();
  return { longestTask, longestWait, coldLoadMs, warmLoadMs };
}

function monitorDelays() {
  const { port1, port2 } = new MessageChannel();
  let longest = 0;
  let sent = performance.now();
  let on = true;
  port2.onmessage = () => {
    longest = Math.max(longest, performance.now() - sent);
    // A pause, so that the measurement does not itself block the thread.
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
