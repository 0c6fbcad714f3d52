// Packs and signs the retrained model beside the running one, and starts it as a canary in the channel.
import { existsSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { Channel } from "../../src/shared/types/rollout.js";
import type { Evaluation } from "./evaluate.js";
import { insitu } from "./insitu.js";

export interface Published {
  version: string;
  folder: string;
}

export interface Running {
  version: string;
  release: number;
  /** Folder of its package. */
  folder: string;
}

/** The stable version of the channel in `site`, a folder with channel.json and a package folder for each version. */
export function runningVersion(site: string): Running {
  const channel = JSON.parse(readFileSync(join(site, "channel.json"), "utf8")) as Channel;
  const stable = channel.arms.find(({ role }) => role === "stable");
  if (!stable) throw new Error(`${join(site, "channel.json")} has no stable version.`);
  const canary = channel.arms.find(({ role }) => role === "canary");
  if (canary) throw new Error(`The channel has a canary already (${canary.package}); decide about that one first.`);
  const folder = join(site, stable.package);
  const { version, release } = JSON.parse(readFileSync(join(folder, "insitu.json"), "utf8")) as Manifest;
  return { version, release, folder };
}

/** The next minor version. */
function nextVersion(version: string): string {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  if (major === undefined) throw new Error(`${version} is not a semantic version.`);
  return `${major}.${Number(minor) + 1}.0`;
}

export interface PublishInput {
  /** Path of the retrained model.json. */
  model: string;
  site: string;
  key: string;
  running: Running;
  evaluation: Evaluation;
  trainingImages: number;
  /** Percent of the browsers. */
  weight: number;
  why: string;
}

export async function publishCanary(input: PublishInput, log: (line: string) => void): Promise<Published> {
  const { model, site, key, running, evaluation, trainingImages, weight, why } = input;
  const version = nextVersion(running.version);
  const folder = join(site, version);
  if (existsSync(folder)) throw new Error(`${folder} exists; a version is never written twice.`);
  const task = `${model}.task.json`;
  await writeFile(task, JSON.stringify(taskOf(running, evaluation, trainingImages)));
  try {
    await insitu(log, [
      ...["pack", model, "--out", folder, "--name", "digits", "--version", version],
      ...["--release", String(running.release + 1), "--task", task, "--sign", key],
    ]);
    await insitu(log, ["verify", folder, "--key", key.replace(/\.json$/, ".public.json")]);
    await insitu(log, [
      ...["channel", "start", site, "--canary", version, "--weight", String(weight), "--sign", key],
      ...["--by", "pipeline", "--why", why],
    ]);
  } catch (error) {
    // Nothing half-published stays: a later run makes the same version.
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { version, folder };
}

/** What the packed version says about itself; inputs and task stay those of the running one. */
function taskOf({ folder }: Running, { site, shipped }: Evaluation, trainingImages: number): object {
  const manifest = JSON.parse(readFileSync(join(folder, "insitu.json"), "utf8")) as Manifest;
  const { task, embedding, inputs, license } = manifest;
  return {
    task,
    embedding,
    inputs: inputs.map(({ name, image }) => ({ name, image })),
    license,
    source: "Fine-tuned by pipeline/ on the digits of models/digits and labelled digits of the site",
    metrics: {
      heldOutAccuracy: shipped.after,
      heldOutImages: shipped.n,
      siteAccuracy: site.after,
      siteImages: site.n,
      trainingImages,
    },
  };
}

export interface FollowOptions {
  site: string;
  key: string;
  collector: string;
  readToken?: string;
  every: string;
  pause: string;
  signal?: AbortSignal;
}

/** Follows the collector's decisions until the canary is promoted or rolled back. */
export async function followDecision(
  options: FollowOptions,
  log: (line: string) => void,
): Promise<"promoted" | "rolled_back"> {
  const { site, key, collector, readToken, every, pause, signal } = options;
  const ROLLED_BACK = 3;
  const { code } = await insitu(
    log,
    [
      "channel",
      "auto",
      site,
      "--collector",
      collector,
      "--sign",
      key,
      "--every",
      every,
      "--pause",
      pause,
      "--by",
      "pipeline",
    ],
    { codes: [0, ROLLED_BACK], ...(readToken && { env: { INSITU_READ_TOKEN: readToken } }), ...(signal && { signal }) },
  );
  return code === ROLLED_BACK ? "rolled_back" : "promoted";
}
