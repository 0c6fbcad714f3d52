// Runs in the page: predicts by a plain package and by a channel in turn, and by a channel with and without a shadow.
import type { Client, ClientOptions, Model } from "../../src/index.js";

type CreateClient = (options: ClientOptions) => Client;

async function open(createClient: CreateClient, name: string, url: string, monitor: boolean) {
  const client = createClient({ backends: ["wasm"], storage: { name }, monitor });
  const model = await client.load(url, { task: "classification" });
  await model.tuned;
  return model;
}

const digit = (n: number) => new Float32Array(784).fill(n);

/** Returns milliseconds per prediction, each the mean of `each` predictions. */
export async function cost(createClient: CreateClient, channel: string, rounds: number, each: number) {
  const sides = {
    on: await open(createClient, "channel", channel, true),
    off: await open(createClient, "plain", "/models/digits/", false),
  };
  const spent: Record<"on" | "off", number[]> = { on: [], off: [] };
  for (let round = -5; round < rounds; round += 1)
    for (const side of round % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const)) {
      const started = performance.now();
      for (let n = 0; n < each; n += 1) await sides[side].predict(digit(n / each));
      if (round >= 0) spent[side].push((performance.now() - started) / each);
    }
  return spent;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The shadow is loaded once the page has rested, and has proved itself after three inputs; from then on it follows at once. */
async function untilShadowRuns(model: Model): Promise<void> {
  for (let tries = 0; tries < 60; tries += 1) {
    await model.predict(digit(0));
    await pause(1_500);
    const { agreed = 0, disagreed = 0 } = model.rollout?.state().shadow ?? {};
    if (agreed + disagreed >= 3) return;
  }
  throw new Error("The shadow did not run.");
}

/**
 * Milliseconds of single predictions, one each `every` milliseconds, so that the shadow of `on` runs between them; and how many inputs it
 * predicted meanwhile.
 */
export async function beside(
  createClient: CreateClient,
  channel: string,
  shadowed: string,
  times: number,
  every: number,
) {
  const sides = {
    on: await open(createClient, "shadowed", shadowed, true),
    off: await open(createClient, "channel", channel, true),
  };
  await untilShadowRuns(sides.on as Model);
  const count = () => {
    const { agreed = 0, disagreed = 0 } = sides.on.rollout?.state().shadow ?? {};
    return agreed + disagreed;
  };
  const before = count();
  const spent: Record<"on" | "off", number[]> = { on: [], off: [] };
  for (let n = 0; n < times; n += 1)
    for (const side of n % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const)) {
      const started = performance.now();
      await sides[side].predict(digit(n / times));
      spent[side].push(performance.now() - started);
      await pause(every);
    }
  return { ...spent, compared: count() - before };
}
