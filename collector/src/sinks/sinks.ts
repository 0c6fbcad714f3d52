// All sinks of a collector: created from its options, offered each stored batch, closed with it.
import type { OwnMetric } from "../prometheus.js";
import { type ElasticsearchOptions, elasticsearchSink } from "./elasticsearch.js";
import { otlpSink } from "./otlp.js";
import { createSinkQueue } from "./queue.js";
import type { SinkBatch } from "./sink.js";
import { type SplunkOptions, splunkSink } from "./splunk.js";

/** Other systems that stored batches are passed on to. Each has its own queue, so that none can slow the collector down. */
export interface SinkOptions {
  /** An OpenTelemetry Collector: its base URL, and headers such as a key. */
  otlp?: { url: string; headers?: Record<string, string> };
  elasticsearch?: ElasticsearchOptions;
  splunk?: SplunkOptions;
}

export interface Sinks {
  offer(batch: SinkBatch): void;
  metrics(): OwnMetric[];
  /** Sends what waits, for at most ten seconds. */
  close(): Promise<void>;
}

const CLOSE_MS = 10_000;

/** Throws when a URL is not valid. */
export function createSinks({ otlp, elasticsearch, splunk }: SinkOptions): Sinks {
  for (const url of [otlp?.url, elasticsearch?.url, splunk?.url])
    if (url !== undefined && !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ""))
      throw new Error(`"${url}" is not an http(s) URL; write it as https://host:port.`);
  const queues = [
    ...(otlp ? [otlpSink(otlp.url, otlp.headers)] : []),
    ...(elasticsearch ? [elasticsearchSink(elasticsearch)] : []),
    ...(splunk ? [splunkSink(splunk)] : []),
  ].map((sink) => createSinkQueue(sink));
  return {
    offer(batch) {
      for (const queue of queues) queue.offer(batch);
    },
    metrics: () =>
      queues.flatMap(({ name, counts }) => {
        const { sent, dropped, retries, waiting } = counts();
        const metric = (what: string, help: string, value: number, kind: OwnMetric["kind"] = "counter"): OwnMetric => ({
          name: `insitu_collector_sink_${name}_${what}`,
          help: `${help} (${name}).`,
          kind,
          value,
        });
        return [
          metric("sent_total", "Records that the sink accepted", sent),
          metric("dropped_total", "Records that the sink refused, or that did not fit its queue", dropped),
          metric("retries_total", "Requests that were sent again", retries),
          metric("waiting", "Records that wait in the queue", waiting, "gauge"),
        ];
      }),
    close: async () => {
      await Promise.all(queues.map((queue) => queue.close(CLOSE_MS)));
    },
  };
}
