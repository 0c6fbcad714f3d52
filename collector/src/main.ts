#!/usr/bin/env node
// The command `insitu-collector`: reads its arguments, runs until it receives a signal, shuts down cleanly.
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import type { WriteKey } from "./access.js";
import { startCollector } from "./collector.js";
import type { SinkOptions } from "./sinks/sinks.js";

interface Arguments {
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

/** Whether the value is valid is decided by `startCollector`, which also says what to write. */
function readProxies(text: string): number | string[] {
  return /^\d+$/.test(text) ? Number(text) : text.split(",");
}

function header(text: string, all: Record<string, string>): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Write it as name=value.");
  return { ...all, [text.slice(0, at)]: text.slice(at + 1) };
}

function sinksOf(given: Arguments): SinkOptions {
  const { forwardOtlp, forwardHeader, elasticsearch, elasticsearchIndex, elasticsearchKey, splunk, splunkToken } =
    given;
  if (splunk && !splunkToken) throw new Error("--splunk needs --splunk-token.");
  return {
    ...(forwardOtlp && { otlp: { url: forwardOtlp, headers: forwardHeader } }),
    ...(elasticsearch && {
      elasticsearch: {
        url: elasticsearch,
        index: elasticsearchIndex,
        ...(elasticsearchKey && { headers: { authorization: `ApiKey ${elasticsearchKey}` } }),
      },
    }),
    ...(splunk && { splunk: { url: splunk, token: splunkToken ?? "" } }),
  };
}

function writeKey(text: string): WriteKey {
  const at = text.indexOf("=http");
  if (at < 0) return { key: text };
  return { key: text.slice(0, at), allowOrigins: text.slice(at + 1).split(",") };
}

function readArguments(): Arguments {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return new Command("insitu-collector")
    .description(
      "Receives OTLP/HTTP JSON at /v1/metrics and /v1/logs, stores it in a file, and serves Prometheus at /metrics.",
    )
    .version(version)
    .option("--port <number>", "port to listen on; 0 takes a free one", readPort, 4318)
    .option("--host <address>", "address to listen on; 0.0.0.0 is all", "127.0.0.1")
    .option("--data <file>", "the database file, created when it is missing", "./telemetry.db")
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
      (origin: string, all: string[]) => [...all, origin],
      [],
    )
    .option(
      "--allow-attribute <name>",
      "stores this attribute besides the library's own; a name that ends with a dot is a prefix; repeatable",
      (name: string, all: string[]) => [...all, name],
      [],
    )
    .option(
      "--allow-metric <name>",
      "accepts this metric besides the library's own; a name that ends with a dot is a prefix; repeatable",
      (name: string, all: string[]) => [...all, name],
      [],
    )
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
      (name: string, all: string[]) => [...all, name],
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
    .option("--keep-days <number>", "days for which points and events are stored; at least 8", readInteger, 30)
    .option("--forward-otlp <url>", "also sends everything to this OpenTelemetry Collector")
    .option("--forward-header <name=value>", "a header for it, such as a key; repeatable", header, {})
    .option("--elasticsearch <url>", "also writes everything into this Elasticsearch")
    .option("--elasticsearch-index <name>", "a data stream or an index", "insitu")
    .option("--elasticsearch-key <key>", "an API key for it")
    .option("--splunk <url>", "also sends everything to this HTTP Event Collector")
    .option("--splunk-token <token>", "its token")
    .parse()
    .opts<Arguments>();
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

async function main(): Promise<void> {
  const given = readArguments();
  const { allowOrigin: allowOrigins, allowAttribute: allowAttributes, writeKey: writeKeys, ...options } = given;
  const { allowMetric: allowMetrics } = given;
  const collector = await startCollector({
    ...options,
    allowOrigins,
    allowHosts: given.allowHost,
    allowAttributes,
    allowMetrics,
    writeKeys,
    sinks: sinksOf(given),
  });
  let isEnding = false;
  const end = async () => {
    // A terminal and npm both forward Ctrl-C; the second signal must not interrupt the shutdown.
    if (isEnding) return;
    isEnding = true;
    await collector.close();
    process.exit(0);
  };
  const endOrFail = () => void end().catch(fail);
  process.on("SIGINT", endOrFail);
  process.on("SIGTERM", endOrFail);
  console.log(`insitu-collector listens on ${collector.url}, its metrics are at ${collector.url}/metrics`);
  if (!isLoopback(options.host) && !(writeKeys.length > 0 && options.readToken))
    console.warn("Everyone who reaches this address may write or read: set --write-key and --read-token.");
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

main().catch(fail);
