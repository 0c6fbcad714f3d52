// One run of the pipeline: export, retrain, evaluate, publish as a canary only if it is better, follow the decision, report.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fineTune } from "../models/digits/fine-tune.js";
import { bearer, type CollectorAddress, type Report, reportRun, request } from "./steps/collector.js";
import { evaluate, text } from "./steps/evaluate.js";
import { parseLabels, splitLabels } from "./steps/labels.js";
import { followDecision, publishCanary, runningVersion } from "./steps/publish.js";

export interface RunOptions {
  /** Folder with channel.json and a package folder for each version. */
  site: string;
  /** Key file of `insitu keygen`. */
  key: string;
  /** The site's backend, with its token: where labelled digits come from. */
  labels: string;
  labelsToken?: string;
  collector: CollectorAddress;
  /** The run that the webhook or the collector's log named; nothing is reported without one. */
  id?: string;
  /** Percent of the browsers that get the canary. */
  weight: number;
  /** Steps of the fine-tuning, each of 32 digits. */
  steps: number;
  /** Of `insitu channel auto`; absent: the decision is left to somebody else. */
  follow?: { every: string; pause: string };
}

export type Outcome = { result: "promoted" | "rolled_back" | "published"; version: string } | { result: "not_better" };

/** Throws when a step fails; the collector has been told then. */
export async function runPipeline(options: RunOptions, log: (line: string) => void): Promise<Outcome> {
  const report = async (one: Report) => {
    if (options.id) await reportRun(options.collector, options.id, one);
  };
  await report({ state: "running" });
  // While the decision is awaited the collector hears that the run is alive.
  const alive = setInterval(() => void report({ state: "running" }).catch(() => undefined), 60_000);
  try {
    const outcome = await steps(options, log);
    const version = "version" in outcome ? outcome.version : undefined;
    if (outcome.result === "rolled_back")
      await report({ state: "failed", version, detail: "The canary was rolled back." });
    else await report({ state: "done", version, detail: outcome.result });
    return outcome;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    await report({ state: "failed", detail }).catch((cause) => log(`The failure could not be reported: ${cause}`));
    throw error;
  } finally {
    clearInterval(alive);
  }
}

async function steps(options: RunOptions, log: (line: string) => void): Promise<Outcome> {
  const { site, key, labels: source, labelsToken, collector, id, weight, follow } = options;
  const running = runningVersion(site);
  const exported = await request(`${source}/labels`, { headers: bearer(labelsToken) });
  const labels = parseLabels(await exported.text());
  const { train, heldOut } = splitLabels(labels);
  log(`Exported ${labels.length} labelled digits: ${train.length} to train on, ${heldOut.length} held out.`);
  const work = mkdtempSync(join(tmpdir(), "insitu-pipeline-"));
  try {
    const before = join(running.folder, "model.json");
    const { model, images } = await fineTune({ base: before, digits: train, folder: work, steps: options.steps }, log);
    const evaluation = await evaluate(before, model, heldOut);
    log(`The site's held-out digits: ${text(evaluation.site)}.`);
    log(`The digits it was shipped with: ${text(evaluation.shipped)}.`);
    if (!evaluation.isBetter) {
      log(`Not published: ${evaluation.reason}.`);
      return { result: "not_better" };
    }
    const why = `retraining ${id ?? "by hand"}: ${text(evaluation.site)}`;
    const { version } = await publishCanary(
      { model, site, key, running, evaluation, trainingImages: images, weight, why },
      log,
    );
    if (!follow) return { result: "published", version };
    const { url, readToken } = collector;
    const result = await followDecision({ site, key, collector: url, readToken, ...follow }, log);
    return { result, version };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
