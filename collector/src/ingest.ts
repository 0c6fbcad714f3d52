// Takes what a request holds: stores it once, counts it, passes it on, and returns OTLP's response.
import { randomUUID } from "node:crypto";
import type { AllowList } from "./allow-list.js";
import { parseBeacon } from "./beacon.js";
import type { Catalogue } from "./catalogue.js";
import type { AppendResult, Batch } from "./commit.js";
import { HttpError, unavailable } from "./errors.js";
import { BadBody } from "./otlp.js";
import { parseLogs } from "./otlp-logs.js";
import { parseMetrics } from "./otlp-metrics.js";
import type { OwnCounts } from "./own-metrics.js";
import type { Attributes, Rejected } from "./records.js";
import type { SinkBatch } from "./sinks/sink.js";
import type { Store } from "./store.js";

export interface IngestDeps {
  store: Store;
  allowList: AllowList;
  catalogue: Catalogue;
  counts: OwnCounts;
  /** Epoch milliseconds. */
  now(): number;
  /** Passes a stored batch on to the sinks; never waits. */
  passOn(batch: SinkBatch): void;
}

/** Whose request it is. */
export interface Origin {
  /** The request's id, if it has one. */
  id?: string;
  /** The address that it came from. */
  sender?: string;
  /** Whether it had a trusted key. */
  isTrusted?: boolean;
}

/** Returns the response's body. Rejects with `HttpError` 400 or 503. */
export type Ingest = (body: unknown, origin: Origin) => Promise<object>;

export interface Ingests {
  metrics: Ingest;
  logs: Ingest;
  beacon: Ingest;
}

export function createIngests(deps: IngestDeps): Ingests {
  const { counts, catalogue, now } = deps;
  return {
    async metrics(body, origin) {
      const { records: points, rejected } = parse(() => parseMetrics(body, now(), catalogue));
      const otlp = [{ path: "/v1/metrics" as const, body }];
      const result = await ingest(deps, origin, { points, events: [], otlp });
      return result.isRepeated ? {} : partialSuccess("rejectedDataPoints", [...rejected, ...result.rejected], counts);
    },
    async logs(body, origin) {
      const { records: events, rejected } = parse(() => parseLogs(body, now()));
      const otlp = [{ path: "/v1/logs" as const, body }];
      const result = await ingest(deps, origin, { points: [], events, otlp });
      return result.isRepeated ? {} : partialSuccess("rejectedLogRecords", rejected, counts);
    },
    async beacon(body, origin) {
      const { points, events, rejected, otlp: bodies } = parse(() => parseBeacon(body, now(), catalogue));
      const otlp = [
        ...(points.length > 0 ? [{ path: "/v1/metrics" as const, body: bodies.metrics }] : []),
        ...(events.length > 0 ? [{ path: "/v1/logs" as const, body: bodies.logs }] : []),
      ];
      const result = await ingest(deps, origin, { points, events, otlp });
      return result.isRepeated ? {} : partialSuccess("rejectedRecords", [...rejected, ...result.rejected], counts);
    },
  };
}

/** Stores a batch unless one with the same id was stored before, and passes it on. */
async function ingest(
  { store, allowList, counts, passOn }: IngestDeps,
  { id, sender, isTrusted }: Origin,
  { points, events, otlp }: Omit<SinkBatch, "id">,
): Promise<AppendResult> {
  const allowed = <R extends { attributes: Attributes }>(records: readonly R[]) =>
    records.map((record) => ({ ...record, attributes: allowList.keep(record.attributes) }));
  const batch = { id, points: allowed(points), events: allowed(events) };
  const result = await append(store, { ...batch, sender, isTrusted }, counts);
  if (result.isRepeated) return result;
  counts.points += points.length;
  counts.events += events.length;
  counts.overflowed += result.overflowed;
  passOn({ ...batch, otlp, id: id ?? randomUUID().replaceAll("-", "") });
  return result;
}

async function append(store: Store, batch: Batch, counts: OwnCounts): Promise<AppendResult> {
  const result = await store.append(batch).catch((cause) => {
    counts.failed += 1;
    return unavailable(cause);
  });
  if (result.isRepeated) counts.repeated += 1;
  else counts.batches += 1;
  return result;
}

function parse<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof BadBody ? new HttpError(400, error.message) : error;
  }
}

// The response names the first reasons: a batch has few kinds of faults, and the response must stay small.
const MAX_REASONS = 5;

/** OTLP: a 200 that reports rejected records is final, the sender must not send them again. */
function partialSuccess(field: string, rejected: readonly Rejected[], counts: OwnCounts): object {
  const count = rejected.reduce((sum, one) => sum + one.count, 0);
  for (const one of rejected) counts.rejected[one.code] += one.count;
  if (count === 0) return {};
  const reasons = [...new Set(rejected.map(({ reason }) => reason))].slice(0, MAX_REASONS);
  return { partialSuccess: { [field]: String(count), errorMessage: reasons.join("; ") } };
}
