// All sinks of a collector: created from its options, offered each stored batch, closed with it.
import type { OwnMetric } from "../prometheus.js";
import { type ElasticsearchOptions, elasticsearchSink } from "./elasticsearch.js";
import { createKept, type Kept } from "./kept.js";
import { otlpSink } from "./otlp.js";
import { createSinkQueue, type SinkQueue } from "./queue.js";
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
  /** Sends what the last run left. */
  resume(): void;
  /** Sends what waits, for at most ten seconds; what is left then is stored beside the database, and said. */
  close(): Promise<void>;
}

const CLOSE_MS = 10_000;

/** `data` is the database's file. Throws when a URL is not valid. */
export function createSinks({ otlp, elasticsearch, splunk }: SinkOptions, data: string): Sinks {
  for (const url of [otlp?.url, elasticsearch?.url, splunk?.url])
    if (url !== undefined && !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ""))
      throw new Error(`"${url}" is not an http(s) URL; write it as https://host:port.`);
  const queues = [
    ...(otlp ? [otlpSink(otlp.url, otlp.headers)] : []),
    ...(elasticsearch ? [elasticsearchSink(elasticsearch)] : []),
    ...(splunk ? [splunkSink(splunk)] : []),
  ].map((sink) => createSinkQueue(sink));
  const kept = createKept(data);
  return {
    offer(batch) {
      for (const queue of queues) queue.offer(batch);
    },
    metrics: () => queues.flatMap(metricsOf),
    resume() {
      for (const queue of queues) queue.restore(kept?.take(queue.name) ?? []);
    },
    close: async () => {
      await Promise.all(queues.map((queue) => closeQueue(queue, kept)));
    },
  };
}

function metricsOf({ name, counts }: SinkQueue): OwnMetric[] {
  const { sent, dropped, retries, restored, waiting } = counts();
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
    metric("restored_total", "Records that the last run could not send", restored),
    metric("waiting", "Records that wait in the queue", waiting, "gauge"),
  ];
}

/** A restart while a sink is down must lose nothing: its queue is on disk until the next start. */
async function closeQueue(queue: SinkQueue, kept: Kept | null): Promise<void> {
  const left = await queue.close(CLOSE_MS);
  if (left.length === 0) return;
  const items = left.reduce((sum, one) => sum + one.items, 0);
  const what = `${items} records could not be sent to ${queue.name}`;
  try {
    if (!kept) throw new Error("the database is in memory");
    console.error(`${what}; the next start sends them from ${kept.save(queue.name, left)}.`);
  } catch (error) {
    console.error(`${what}, and are lost: ${error instanceof Error ? error.message : error}.`);
  }
}
