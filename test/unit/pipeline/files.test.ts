// The workflow and the CronJob parse, and pass only flags that the pipeline has.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}pipeline/${path}`, "utf8");

it("agree with the command", () => {
  const { stdout, status } = spawnSync(process.execPath, ["--import", "tsx", "pipeline/main.ts", "--help"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(status).toBe(0);
  const workflow = parse(read("ci/github-workflow.yml"));
  const steps = workflow.jobs.retrain.steps as { run?: string }[];
  const [run] = steps.flatMap(({ run }) => (run?.includes("npm run pipeline") ? [run] : []));
  const jobs = parseAllDocuments(read("deploy/cronjob.yml")).map((one) => one.toJS());
  const { spec } = jobs.find(({ kind }) => kind === "CronJob");
  const [container] = spec.jobTemplate.spec.template.spec.containers;
  const flags = [
    ...(run?.match(/--[a-z-]{2,}/g) ?? []),
    ...container.args.filter((one: string) => one.startsWith("--")),
  ];
  expect(flags.length).toBeGreaterThan(12);
  for (const flag of flags) expect(stdout, flag).toContain(flag);
  expect(spec.concurrencyPolicy).toBe("Forbid");
  expect(workflow.concurrency["cancel-in-progress"]).toBe(false);
  const secret = jobs.find(({ kind }) => kind === "Secret");
  for (const { valueFrom } of container.env) expect(secret.stringData).toHaveProperty([valueFrom.secretKeyRef.key]);
});
