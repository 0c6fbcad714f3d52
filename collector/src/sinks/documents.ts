// Points and events as flat documents, as search engines index them; pure.
import type { Event, Point } from "../records.js";

export type Document = Record<string, unknown>;

export function pointDocument({ metric, attributes, time, amount }: Point): Document {
  const { name, unit, kind, bounds } = metric;
  const values =
    kind === "counter"
      ? { value: amount.sum }
      : { count: amount.count, sum: amount.sum, buckets: amount.buckets, bounds };
  return {
    "@timestamp": new Date(time).toISOString(),
    metric: name,
    unit,
    ...values,
    ...Object.fromEntries(attributes),
  };
}

export function eventDocument({ time, name, severity, body, attributes, resource }: Event): Document {
  const service = resource.filter(([key]) => key.startsWith("service."));
  return {
    "@timestamp": new Date(time).toISOString(),
    ...(name !== null && { "event.name": name }),
    "log.severity": severity,
    ...(body !== null && { message: body }),
    ...Object.fromEntries([...service, ...attributes]),
  };
}
