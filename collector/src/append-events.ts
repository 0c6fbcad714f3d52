// Writes events into DuckDB by its appender, column by column: half the time of an INSERT that reads them from JSON.
import {
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBTimestampValue,
  TIMESTAMP,
  UTINYINT,
  VARCHAR,
} from "@duckdb/node-api";
import { appendRows } from "./append-rows.js";
import type { Attributes, Event } from "./records.js";

const TYPES = [TIMESTAMP, VARCHAR, UTINYINT, VARCHAR, VARCHAR, VARCHAR];
/** Writes within the transaction that the caller has opened, or throws. */
export const appendEvents = (connection: DuckDBConnection, events: readonly Event[]): Promise<void> =>
  appendRows(connection, "events", events, chunkOf);

function chunkOf(events: readonly Event[]): DuckDBDataChunk {
  // The events of a request share one.
  const resources = new Map<Attributes, string>();
  const resourceOf = (resource: Attributes) => {
    const known = resources.get(resource) ?? toObject(resource);
    resources.set(resource, known);
    return known;
  };
  const chunk = DuckDBDataChunk.create(TYPES, events.length);
  chunk.setColumns([
    events.map(({ time }) => new DuckDBTimestampValue(BigInt(time) * 1_000n)),
    events.map(({ name }) => name),
    events.map(({ severity }) => severity),
    events.map(({ body }) => body),
    events.map(({ attributes }) => toObject(attributes)),
    events.map(({ resource }) => resourceOf(resource)),
  ]);
  return chunk;
}

/** Written piece by piece: an object made from the pairs first takes four times as long. */
function toObject(attributes: Attributes): string {
  return `{${attributes.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
}
