#!/usr/bin/env node
// The command `insitu-collector`: reads its arguments, runs until it receives a signal, shuts down cleanly.
import { type Arguments, readArguments } from "./arguments.js";
import { startCollector } from "./collector.js";
import { readRetrainFile } from "./retrain/config.js";
import type { SinkOptions } from "./sinks/sinks.js";

function sinksOf(given: Arguments): SinkOptions {
  const { forwardOtlp, forwardHeader, elasticsearch, elasticsearchIndex, elasticsearchKey, splunk, splunkToken } =
    given;
  if (splunk && !splunkToken) throw new Error("--splunk needs --splunk-token.");
  if (splunkToken && !splunk) throw new Error("--splunk-token needs --splunk.");
  if (elasticsearchKey && !elasticsearch) throw new Error("--elasticsearch-key needs --elasticsearch.");
  if (Object.keys(forwardHeader).length > 0 && !forwardOtlp) throw new Error("--forward-header needs --forward-otlp.");
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

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

async function main(): Promise<void> {
  const given = readArguments();
  const { allowOrigin: allowOrigins, allowAttribute: allowAttributes, writeKey: writeKeys, ...options } = given;
  const { allowMetric: allowMetrics, trustedKey: trustedKeys, reference: references } = given;
  if (given.retrain !== undefined && given.operatorToken === undefined)
    console.warn("--retrain without --operator-token: no run can be reported as done, so each ends by its time limit.");
  const collector = await startCollector({
    ...options,
    allowOrigins,
    allowHosts: given.allowHost,
    allowAttributes,
    allowMetrics,
    writeKeys,
    trustedKeys,
    references,
    margins: {
      ...(given.marginAccuracy !== undefined && { accuracy: given.marginAccuracy }),
      ...(given.marginLatency !== undefined && { latency: given.marginLatency }),
    },
    sinks: sinksOf(given),
    retrain: given.retrain === undefined ? undefined : readRetrainFile(given.retrain),
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
