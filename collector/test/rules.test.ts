// The rules that the package ships, by Prometheus's own tools; and their metrics are those that pages send.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { counter, counterPoint, histogram, histogramPoint, metricsBody, SHARES } from "./support/otlp.js";
import { post, withCollector } from "./support/run.js";
import { range, sayAll } from "./support/senders.js";

const FOLDER = fileURLToPath(new URL("../deploy/prometheus/", import.meta.url));

const RETRAIN = {
  models: {
    digits: {
      webhook: { url: "http://127.0.0.1:9/", secret: "0123456789abcdef" },
      triggers: { labels: { count: 1e6 } },
    },
  },
};

it.each([
  ["check", "rules", "rules.yml"],
  ["check", "config", "prometheus.yml"],
  ["test", "rules", "rules.test.yml"],
])("promtool %s %s %s", (...command) => {
  const { status, stdout, stderr, error } = spawnSync("promtool", command, { cwd: FOLDER, encoding: "utf8" });
  expect(error, "promtool comes with Debian's package prometheus").toBeUndefined();
  expect(status, `${stdout}${stderr}`).toBe(0);
});

it("name only metrics that the collector serves for what the library sends", async () => {
  const at = counterPoint("1", {});
  const counters = [
    ["ml.inference.items", "{item}"],
    ["ml.errors", "{error}"],
    ["ml.runtime.fallbacks", "{fallback}"],
    ["ml.runtime.worker.restarts", "{restart}"],
    ["ml.telemetry.dropped", "{record}"],
    ["ml.rollout.decisions", "{decision}"],
    ["ml.shadow.comparisons", "{prediction}"],
  ].map(([name, unit]) => counter([at], { name, unit }));
  const outcome = counterPoint("1", { "ml.prediction.outcome": "correct" });
  counters.push(counter([outcome], { name: "ml.prediction.outcomes", unit: "{prediction}" }));
  const histograms = [
    ["ml.inference.duration", "s"],
    ["ml.model.load.duration", "s"],
  ].map(([name, unit]) => histogram([histogramPoint([0.01], {})], { name, unit }));
  const confidence = histogramPoint([0.01], {}, {}, SHARES);
  histograms.push(histogram([confidence], { name: "ml.prediction.confidence", unit: "1" }));
  await withCollector({ trustProxy: 1, retrain: RETRAIN }, async ({ url }) => {
    // What the collector decides itself is there once it has looked.
    const inputs = { brightness: [0.1, 0.3, 0.5, 0.7, 0.9] };
    await sayAll(url, range(0, 20), () => ({ version: "1.0.0", arm: "stable", correct: 5, inputs }));
    await sayAll(url, range(20, 40), () => ({ version: "1.1.0", arm: "canary", correct: 5 }));
    for (const path of ["rollouts/digits", "drift?model=digits"])
      expect((await fetch(`${url}/v1/${path}`)).status, path).toBe(200);
    expect(await (await post(`${url}/v1/metrics`, metricsBody([...counters, ...histograms]))).json()).toEqual({});
    const served = await (await fetch(`${url}/metrics`)).text();
    const rules = readFileSync(`${FOLDER}rules.yml`, "utf8");
    const named = new Set(rules.match(/\b(ml|insitu_collector)_[a-z_]+(?=[{[])/g));
    expect(named.size).toBeGreaterThan(10);
    for (const name of named) expect(served, name).toMatch(new RegExp(`^${name}[ {]`, "m"));
  });
});
