// Runs in the page: predicts with and without telemetry in turn, and a thousand times with telemetry.
import type { Client, ClientOptions, TelemetryStats } from "../../src/index.js";

type CreateClient = (options: ClientOptions) => Client;

async function open(createClient: CreateClient, name: string, endpoint?: string) {
  const telemetry = endpoint === undefined ? undefined : { endpoint };
  const client = createClient({ backends: ["wasm"], storage: { name }, telemetry, monitor: endpoint !== undefined });
  const model = await client.load("/models/digits/", { task: "classification" });
  await model.tuned;
  return { client, model };
}

/** Returns milliseconds per prediction, each the mean of `each` predictions. */
export async function cost(createClient: CreateClient, endpoint: string, rounds: number, each: number) {
  const sides = { on: await open(createClient, "on", endpoint), off: await open(createClient, "off") };
  const spent: Record<"on" | "off", number[]> = { on: [], off: [] };
  for (let round = -5; round < rounds; round += 1)
    for (const side of round % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const)) {
      const started = performance.now();
      for (let n = 0; n < each; n += 1) await sides[side].model.predict(new Float32Array(784).fill(n / each));
      if (round >= 0) spent[side].push((performance.now() - started) / each);
    }
  return spent;
}

export async function thousand(createClient: CreateClient, endpoint: string, times: number): Promise<TelemetryStats> {
  const { client, model } = await open(createClient, "bytes", endpoint);
  for (let n = 0; n < times; n += 1) await model.predict(new Float32Array(784).fill(n / times));
  await client.telemetry.flush();
  return client.telemetry.stats();
}
