// The files for deployment as far as they can be judged without Docker, Grafana and Kubernetes: they parse, and agree with the code.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { command } from "./support/run.js";

const FOLDER = fileURLToPath(new URL("../deploy/", import.meta.url));
const read = (path: string) => readFileSync(join(FOLDER, path), "utf8");
const dockerfile = read("Dockerfile");
const compose = parse(read("compose.yml"));
const kubernetes = parseAllDocuments(read("kubernetes/collector.yml")).map((document) => document.toJS());
const ofKind = (kind: string) => kubernetes.find((one) => one.kind === kind);

it("pass only flags that the command has", () => {
  const { stdout } = command("--help");
  const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? "[]") as string[];
  const { args } = ofKind("Deployment").spec.template.spec.containers[0];
  const given = [...entry, ...compose.services.collector.command, ...args].filter((one) => one.startsWith("--"));
  expect(given.length).toBeGreaterThan(6);
  for (const flag of given) expect(stdout, flag).toContain(flag);
});

it("agree on port, folder, probes and a single writer", () => {
  const { spec } = ofKind("Deployment");
  const [container] = spec.template.spec.containers;
  expect(dockerfile).toMatch(/^EXPOSE 4318$/m);
  expect(dockerfile).toContain('"--port", "4318", "--data", "/data/telemetry.db"');
  expect(compose.services.collector.ports).toEqual(["4318:4318"]);
  expect(container.ports[0].containerPort).toBe(4318);
  expect(ofKind("Service").spec.ports[0].port).toBe(4318);
  expect([container.volumeMounts[0].mountPath, compose.services.collector.volumes[0]]).toEqual([
    "/data",
    "telemetry:/data",
  ]);
  expect([container.readinessProbe.httpGet.path, container.livenessProbe.httpGet.path]).toEqual([
    "/readyz",
    "/healthz",
  ]);
  expect([spec.replicas, spec.strategy.type]).toEqual([1, "Recreate"]);
  expect(parse(read("prometheus/prometheus.yml")).scrape_configs[0].static_configs[0].targets).toEqual([
    "collector:4318",
  ]);
  // Prometheus reads under the service's name.
  const { command: given } = compose.services.collector;
  expect(given[given.indexOf("--allow-host") + 1]).toBe("collector");
  const [dashboards] = compose.services.grafana.volumes.filter((volume: string) =>
    volume.startsWith("./grafana/dashboards"),
  );
  expect(dashboards.split(":")[1]).toBe(
    parse(read("grafana/provisioning/dashboards/insitu.yml")).providers[0].options.path,
  );
  expect(parse(read("grafana/provisioning/datasources/prometheus.yml")).datasources[0].uid).toBe("prometheus");
});

it("Grafana's panels ask in PromQL that Prometheus reads, of metrics or rules that there are", () => {
  const { panels } = JSON.parse(read("grafana/dashboards/insitu.json")) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(12);
  const filled = queries.map((query) =>
    query.replaceAll("$__rate_interval", "5m").replaceAll(/\$(model|backend)/g, ".*"),
  );
  const rules = filled.map((expr, i) => ({ record: `panel:${i}`, expr }));
  const folder = mkdtempSync(join(tmpdir(), "insitu-panels-"));
  writeFileSync(join(folder, "panels.yml"), JSON.stringify({ groups: [{ name: "panels", rules }] }));
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "rules", join(folder, "panels.yml")], {
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true });
  expect(status, stdout + stderr).toBe(0);
  const recorded = read("prometheus/rules.yml");
  for (const query of queries)
    for (const rule of query.match(/insitu:[a-z0-9_:]+/g) ?? []) expect(recorded, rule).toContain(`record: ${rule}\n`);
});
