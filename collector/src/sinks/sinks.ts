// All sinks of a collector: made from its options, offered what was counted, closed with it.
import type { OwnFigure } from "../prometheus.js";
import { type ElasticsearchOptions, elasticsearchSink } from "./elasticsearch.js";
import { otlpSink } from "./otlp.js";
import { createSinkQueue } from "./queue.js";
import type { Passed } from "./sink.js";
import { type SplunkOptions, splunkSink } from "./splunk.js";

/** Where else what was counted goes; each has its own queue, and none of them can hold up the collector. */
export interface SinkOptions {
  /** An OpenTelemetry Collector: its base URL, and headers such as a key. */
  otlp?: { url: string; headers?: Record<string, string> };
  elasticsearch?: ElasticsearchOptions;
  splunk?: SplunkOptions;
}

export interface Sinks {
  offer(passed: Passed): void;
  figures(): OwnFigure[];
  /** Hands over what waits, for ten seconds at most. */
  close(): Promise<void>;
}

const CLOSE_MS = 10_000;

/** Throws when an address is none. */
export function createSinks({ otlp, elasticsearch, splunk }: SinkOptions): Sinks {
  for (const url of [otlp?.url, elasticsearch?.url, splunk?.url])
    if (url !== undefined && !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ""))
      throw new Error(`"${url}" is no address; write it as https://host:port.`);
  const queues = [
    ...(otlp ? [otlpSink(otlp.url, otlp.headers)] : []),
    ...(elasticsearch ? [elasticsearchSink(elasticsearch)] : []),
    ...(splunk ? [splunkSink(splunk)] : []),
  ].map((sink) => createSinkQueue(sink));
  return {
    offer(passed) {
      for (const queue of queues) queue.offer(passed);
    },
    figures: () =>
      queues.flatMap(({ name, figures }) => {
        const { sent, dropped, retries, waiting } = figures();
        const figure = (what: string, help: string, value: number, kind: OwnFigure["kind"] = "counter"): OwnFigure => ({
          name: `insitu_collector_sink_${name}_${what}`,
          help: `${help} (${name}).`,
          ...{ kind, value },
        });
        return [
          figure("sent_total", "Records that the sink took", sent),
          figure("dropped_total", "Records that it refused, or that did not fit its queue", dropped),
          figure("retries_total", "Attempts that were repeated", retries),
          figure("waiting", "Records that wait for it", waiting, "gauge"),
        ];
      }),
    close: async () => {
      await Promise.all(queues.map((queue) => queue.close(CLOSE_MS)));
    },
  };
}
