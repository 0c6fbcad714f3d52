// The arguments of the command `insitu-collector`.
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import type { WriteKey } from "./access.js";

export interface Arguments {
  port: number;
  host: string;
  data: string;
  writeKey: WriteKey[];
  readToken?: string;
  allowOrigin: string[];
  minBatches: number;
  allowAttribute: string[];
  allowMetric: string[];
  rate: number;
  keyRate: number;
  allowHost: string[];
  trustProxy?: number | string[];
  readCache: number;
  keepDays: number;
  forwardOtlp?: string;
  forwardHeader: Record<string, string>;
  elasticsearch?: string;
  elasticsearchIndex: string;
  elasticsearchKey?: string;
  splunk?: string;
  splunkToken?: string;
  operatorToken?: string;
  trustedKey: string[];
  marginAccuracy?: number;
  marginLatency?: number;
  reference: string[];
  retrain?: string;
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}

function readMilliseconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("It must be an integer from 0 to 999999.");
  return Number(text);
}

function readInteger(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("It must be an integer from 1 to 999999.");
  return Number(text);
}

function readShare(text: string): number {
  const share = Number(text);
  if (!/^0?\.\d{1,6}$/.test(text) || share === 0)
    throw new InvalidArgumentError("It must be over 0 and below 1: 0.02.");
  return share;
}

/** Whether the value is valid is decided by `startCollector`, which also says what to write. */
function readProxies(text: string): number | string[] {
  return /^\d+$/.test(text) ? Number(text) : text.split(",");
}

function header(text: string, all: Record<string, string>): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Write it as name=value.");
  return { ...all, [text.slice(0, at)]: text.slice(at + 1) };
}

function writeKey(text: string): WriteKey {
  const at = text.indexOf("=http");
  if (at < 0) return { key: text };
  return { key: text.slice(0, at), allowOrigins: text.slice(at + 1).split(",") };
}

/** Of an option that may be given several times. */
const addTo = (value: string, all: string[]): string[] => [...all, value];

export function readArguments(): Arguments {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const command = new Command("insitu-collector")
    .description(
      "Receives OTLP/HTTP JSON at /v1/metrics and /v1/logs, stores it in a file, and serves Prometheus at /metrics.",
    )
    .version(version)
    .option("--port <number>", "port to listen on; 0 takes a free one", readPort, 4318)
    .option("--host <address>", "address to listen on; 0.0.0.0 is all", "127.0.0.1")
    .option("--data <file>", "the database file, created when it is missing", "./telemetry.db");
  for (const add of [addAccess, addLimits, addSinks, addRollouts, addRetrain]) add(command);
  return command.parse().opts<Arguments>();
}

/** Who may write what, and who may read. */
function addAccess(command: Command): void {
  command
    .option(
      "--write-key <key[=origin,origin]>",
      "senders must send this key; with origins only their pages may use it; repeatable",
      (text: string, all: WriteKey[]) => [...all, writeKey(text)],
      [],
    )
    .option("--read-token <token>", "GET /metrics needs this as a bearer token")
    .option(
      "--allow-origin <origin>",
      "pages of this origin may send; repeatable; without it every origin may",
      addTo,
      [],
    )
    .option(
      "--allow-attribute <name>",
      "stores this attribute besides the library's own; a name that ends with a dot is a prefix; repeatable",
      addTo,
      [],
    )
    .option(
      "--allow-metric <name>",
      "accepts this metric besides the library's own; a name that ends with a dot is a prefix; repeatable",
      addTo,
      [],
    );
}

/** How much is taken, shown and kept. */
function addLimits(command: Command): void {
  command
    .option("--rate <number>", "requests per second from one address; bursts of four times as many", readInteger, 50)
    .option(
      "--key-rate <number>",
      "requests per second with one write key; bursts of four times as many",
      readInteger,
      1_000,
    )
    .option(
      "--trust-proxy [hops or addresses]",
      "takes the sender's address from X-Forwarded-For: the number of proxies in front, or their IPs and CIDR ranges",
      readProxies,
    )
    .option(
      "--allow-host <name>",
      "without a read token GET /metrics and GET /v1/report are answered under this name as well as localhost, --host and IPs; repeatable",
      addTo,
      [],
    )
    .option(
      "--min-batches <number>",
      "batches that must hold data of a model before the report shows it",
      readInteger,
      20,
    )
    .option(
      "--read-cache <milliseconds>",
      "GET /metrics and GET /v1/report send the same response again for so long",
      readMilliseconds,
      1_000,
    )
    .option("--keep-days <number>", "days for which points and events are stored; at least 8", readInteger, 30);
}

/** Other systems that receive what was stored. */
function addSinks(command: Command): void {
  command
    .option("--forward-otlp <url>", "also sends everything to this OpenTelemetry Collector")
    .option("--forward-header <name=value>", "a header for it, such as a key; repeatable", header, {})
    .option("--elasticsearch <url>", "also writes everything into this Elasticsearch")
    .option("--elasticsearch-index <name>", "a data stream or an index", "insitu")
    .option("--elasticsearch-key <key>", "an API key for it")
    .option("--splunk <url>", "also sends everything to this HTTP Event Collector")
    .option("--splunk-token <token>", "its token");
}

/** Which version pages run, and what decides about it. */
function addRollouts(command: Command): void {
  command
    .option(
      "--operator-token <token>",
      "PUT /v1/channels/:model and POST /v1/retrain/:id need this as a bearer token; without it nobody may publish or report",
    )
    .option(
      "--trusted-key <key>",
      "key of your own servers, never of a page: outcomes sent with it can promote a version; repeatable",
      addTo,
      [],
    )
    .option("--margin-accuracy <share>", "accuracy that a candidate may have less: 0.02 is two points", readShare)
    .option("--margin-latency <share>", "how much slower a candidate may be: 0.1 is 10 %", readShare)
    .option(
      "--reference <insitu.json>",
      "a package's manifest with a reference profile, for drift; repeatable",
      addTo,
      [],
    );
}

/** When a model is trained again. */
function addRetrain(command: Command): void {
  command.option(
    "--retrain <file>",
    "JSON with the triggers of retraining and the webhook that they call, by model: age, cron, accuracy, drift, estimate, labels; see docs/guides/retraining.md",
  );
}
