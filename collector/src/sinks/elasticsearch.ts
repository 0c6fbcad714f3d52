// Writes points and events into Elasticsearch by its bulk API, each document once.
import { eventDocument, pointDocument } from "./documents.js";
import { postTo } from "./http.js";
import type { Delivery, SendResult, Sink } from "./sink.js";

export interface ElasticsearchOptions {
  url: string;
  /** A data stream or an index. */
  index: string;
  headers?: Record<string, string>;
}

interface Item {
  create?: { status: number };
}

export function elasticsearchSink({ url, index, headers = {} }: ElasticsearchOptions): Sink {
  const address = `${url.replace(/\/+$/, "")}/_bulk?filter_path=errors,items.*.status`;
  return {
    name: "elasticsearch",
    pack({ id, points, events }) {
      const documents = [...points.map(pointDocument), ...events.map(eventDocument)];
      // Data streams accept `create` only; with an id from the sender a repeated document is a conflict, not a second document.
      const pairs = documents.map((document, i) => [{ create: { _index: index, _id: `${id}-${i}` } }, document]);
      return documents.length === 0
        ? []
        : [deliveryOf(pairs.map((pair) => pair.map((line) => JSON.stringify(line)) as Pair))];
    },
    send(delivery, signal) {
      const options = { headers: { "content-type": "application/x-ndjson", ...headers }, signal };
      return postTo(address, delivery.body, options, (text) => readBulkResponse(text, delivery));
    },
  };
}

type Pair = [action: string, document: string];

const deliveryOf = (pairs: Pair[]): Delivery => ({ body: `${pairs.flat().join("\n")}\n`, items: pairs.length });

// The document exists already.
const CONFLICT = 409;

/** Elasticsearch responds with 200 also when every document failed: each has a status of its own. */
function readBulkResponse(text: string, { body, items }: Delivery): SendResult {
  let response: { errors?: boolean; items?: Item[] };
  try {
    response = JSON.parse(text);
  } catch {
    return { kind: "refused", reason: "the response is not JSON" };
  }
  if (!response.errors) return { kind: "done", failed: 0 };
  const lines = body.split("\n");
  const again: Pair[] = [];
  let failed = 0;
  for (let i = 0; i < items; i += 1) {
    const status = response.items?.[i]?.create?.status ?? 500;
    if (status < 300 || status === CONFLICT) continue;
    if (status === 429 || status >= 500) again.push([lines[2 * i] as string, lines[2 * i + 1] as string]);
    else failed += 1;
  }
  return { kind: "done", failed, ...(again.length > 0 && { again: deliveryOf(again) }) };
}
