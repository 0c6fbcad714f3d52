// Turns the JSON body of `POST /v1/logs` (OTLP/HTTP) into events, and reports what it rejects; pure.
import { MAX_EVENT_CHARS, MAX_NAME_CHARS } from "./limits.js";
import { attempt, type Parsed, readResource, toMilliseconds, topEntries } from "./otlp.js";
import { anyValue, attributes, cut, type Fields, fields, list, nanos, text } from "./otlp-values.js";
import type { Attributes, Event } from "./records.js";

/** The body of `POST /v1/logs`: each log record becomes an event. Throws `BadBody` when it is not OTLP. */
export function parseLogs(body: unknown, now: number): Parsed<Event> {
  const parsed: Parsed<Event> = { records: [], rejected: [] };
  for (const resourceLogs of topEntries(body, "resourceLogs")) {
    attempt(parsed.rejected, () => {
      const { resource, scopeLogs } = fields(resourceLogs, "an entry of resourceLogs");
      const sender = readResource(resource, MAX_EVENT_CHARS);
      for (const scope of list(scopeLogs, "scopeLogs"))
        attempt(parsed.rejected, () => {
          for (const record of list(fields(scope, "an entry of scopeLogs").logRecords, "logRecords"))
            attempt(parsed.rejected, () => {
              parsed.records.push(readEvent(fields(record, "a log record"), sender, now));
            });
        });
    });
  }
  return parsed;
}

// OpenTelemetry's severities: 1 (TRACE) to 24 (FATAL4); 0 is "unspecified".
const MAX_SEVERITY = 24;

function readEvent(value: Fields, resource: Attributes, now: number): Event {
  const all = attributes(value.attributes, "a log record's attributes", MAX_EVENT_CHARS);
  // Before `eventName` was a field of its own (OTLP 1.5), it was this attribute.
  const older = all.find(([key]) => key === "event.name")?.[1];
  const name = text(value.eventName, "eventName", MAX_NAME_CHARS) || older || null;
  const time = nanos(value.timeUnixNano, "timeUnixNano");
  const observed = nanos(value.observedTimeUnixNano, "observedTimeUnixNano");
  const severity = typeof value.severityNumber === "object" ? 0 : Number(value.severityNumber ?? 0);
  const body = cut(anyValue(value.body), MAX_EVENT_CHARS);
  return {
    time: toMilliseconds(time === "0" ? observed : time, now),
    name,
    severity: Number.isInteger(severity) && severity >= 0 && severity <= MAX_SEVERITY ? severity : 0,
    body: body === "" ? null : body,
    attributes: all.filter(([key]) => key !== "event.name"),
    resource,
  };
}
