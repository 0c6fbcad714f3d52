// Sends points and events to Splunk's HTTP Event Collector.
import { eventDocument, pointDocument } from "./documents.js";
import { postTo } from "./http.js";
import type { Sink } from "./sink.js";

export interface SplunkOptions {
  url: string;
  token: string;
}

/** Splunk indexes a request wholly or not at all. One that is sent again after a lost response is indexed twice; the field `batch` shows it. */
export function splunkSink({ url, token }: SplunkOptions): Sink {
  const address = `${url.replace(/\/+$/, "")}/services/collector/event`;
  return {
    name: "splunk",
    pack({ id, points, events }) {
      const documents = [
        ...points.map((point) => [point.time, pointDocument(point)] as const),
        ...events.map((event) => [event.time, eventDocument(event)] as const),
      ];
      const lines = documents.map(([time, document]) =>
        JSON.stringify({ time: time / 1000, source: "insitu", sourcetype: "_json", event: { ...document, batch: id } }),
      );
      return lines.length === 0 ? [] : [{ body: lines.join("\n"), items: lines.length }];
    },
    send: ({ body }, signal) => postTo(address, body, { headers: { authorization: `Splunk ${token}` }, signal }),
  };
}
