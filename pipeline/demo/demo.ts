// The whole loop in minutes: labels arrive, accuracy falls, the trigger fires, digits is retrained, its canary is promoted, accuracy is back.
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createReceiver, type RetrainRequest } from "../receiver.js";
import { createBackend } from "../site/backend.js";
import { insitu } from "../steps/insitu.js";
import { type RunningCollector, retrainOptions, startCollector } from "./collector.js";
import { type Host, startHost } from "./host.js";
import { accuracyPlot, type Mark, versionsPlot } from "./plots.js";
import { runPipelineProcess } from "./run-pipeline.js";
import { story } from "./story.js";
import { startVisitors } from "./visitors.js";
import { deferred } from "./wait.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
// With eight visitors the chance that all are on one arm of 50 % is one in 128; the decision needs both.
const VISITORS = 8;
const LIMIT = 0.95;

export interface DemoOptions {
  /** Folder for the log and the plots. */
  out: string;
  steps: number;
}

/** Throws when a step does not happen in its time, or when the accuracy does not come back. */
export async function runDemo({ out, steps }: DemoOptions): Promise<void> {
  const started = Date.now();
  const lines: string[] = [];
  const log = (line: string) => {
    const text = `${((Date.now() - started) / 1_000).toFixed(1).padStart(6)} s  ${line}`;
    lines.push(text);
    console.log(text);
  };
  const folder = mkdtempSync(join(tmpdir(), "insitu-demo-"));
  const marks: Mark[] = [];
  const mark = (text: string) => void marks.push({ at: Date.now(), text });
  const site = join(folder, "models");
  const key = join(folder, "key.json");
  const secret = () => randomBytes(16).toString("hex");
  const secrets = { readToken: secret(), operatorToken: secret(), trustedKey: secret(), webhook: secret() };
  const labelsToken = secret();
  const open: { close(): Promise<void> }[] = [];
  try {
    await publishFirst(site, key, log);
    const { collector, host, fired, finished, backend } = await startAll();
    log(`The site is ${host.url}, its collector ${collector.url}.`);
    const visitors = await startVisitors(host.url, VISITORS);
    open.push(visitors);
    // Also of a run that failed: they show where.
    const draw = () => {
      mkdirSync(out, { recursive: true });
      writeFileSync(join(out, "retraining-accuracy.svg"), accuracyPlot(visitors.reads, marks, LIMIT));
      writeFileSync(join(out, "retraining-versions.svg"), versionsPlot(visitors.reads, marks));
    };
    await story({ visitors, fired, finished, log, mark, countLabels: () => backend.labels().length }).finally(draw);
    log(`Done in ${((Date.now() - started) / 1_000).toFixed(0)} s. The plots are in ${out}.`);
  } finally {
    for (const one of open.reverse()) await one.close().catch((error) => console.error(error));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(out, { recursive: true });
    writeFileSync(
      join(out, "retraining.log"),
      lines.map((line) => `${line.replaceAll(folder, "demo").replaceAll(ROOT, "")}\n`).join(""),
    );
  }

  /** Webhook receiver, static host with the site's backend, collector: each needs the address of another. */
  async function startAll() {
    const [fired, finished] = [deferred<RetrainRequest>(), deferred<{ result: string; version: string }>()];
    let collector: RunningCollector | undefined;
    let backend: ReturnType<typeof createBackend> | undefined;
    let host: Host | undefined;
    const receiver = createReceiver({
      secret: secrets.webhook,
      model: "digits",
      start: (request) => {
        fired.resolve(request);
        const args = ["--site", site, "--key", key, "--labels", host?.url ?? "", "--collector", collector?.url ?? ""];
        const env = {
          INSITU_READ_TOKEN: secrets.readToken,
          INSITU_TOKEN: secrets.operatorToken,
          LABELS_TOKEN: labelsToken,
        };
        const times = ["--weight", "50", "--steps", String(steps), "--every", "2s", "--pause", "5m"];
        runPipelineProcess([...args, ...times, "--id", request.id], env, log).then(finished.resolve, finished.reject);
      },
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    open.push({ close: async () => void receiver.close() });
    const publicKey = JSON.parse(readFileSync(key.replace(/\.json$/, ".public.json"), "utf8"));
    host = await startHost({
      site,
      backend: () => backend as ReturnType<typeof createBackend>,
      config: () => ({
        collector: collector?.url,
        keys: [{ id: publicKey.id, publicKey: publicKey.publicKey }],
        every: 2_000,
      }),
    });
    open.push(host);
    const webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    collector = await startCollector(folder, 0, secrets, host.url, retrainOptions(webhook, secrets.webhook));
    open.push(collector);
    backend = createBackend({
      file: join(folder, "labels.jsonl"),
      token: labelsToken,
      collector: collector.url,
      trustedKey: secrets.trustedKey,
    });
    open.push(backend);
    return { collector, host, fired: fired.promise, finished: finished.promise, backend };
  }
}

/** The shipped package, signed, as the stable version of a new channel. */
async function publishFirst(site: string, key: string, log: (line: string) => void): Promise<void> {
  const folder = join(site, "1.0.0");
  cpSync(join(ROOT, "models/digits/package"), folder, { recursive: true });
  await insitu(log, ["keygen", "--out", key, "--id", "demo"]);
  await insitu(log, ["sign", folder, "--key", key]);
  await insitu(log, [
    "channel",
    "start",
    site,
    "--stable",
    "1.0.0",
    "--sign",
    key,
    "--by",
    "demo",
    "--why",
    "first release",
  ]);
}
