// Bodies of OTLP/HTTP JSON as the library sends them, to be changed by the tests.
export const BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24];

type Given = Record<string, unknown>;

export function pairs(attributes: Record<string, string>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

/** Of metrics that are shares. */
export const SHARES = Array.from({ length: 19 }, (_, i) => Math.round(5 * (i + 1)) / 100);

/** A histogram's data point of these values, in seconds unless it has other bounds. */
export function histogramPoint(
  values: readonly number[],
  attributes: Record<string, string>,
  given: Given = {},
  bounds = BOUNDS,
): Given {
  const buckets = new Array<number>(bounds.length + 1).fill(0);
  for (const value of values) {
    const i = bounds.findIndex((bound) => value <= bound);
    const at = i < 0 ? bounds.length : i;
    buckets[at] = (buckets[at] ?? 0) + 1;
  }
  return {
    attributes: pairs(attributes),
    startTimeUnixNano: `${Date.now() - 1000}000000`,
    timeUnixNano: `${Date.now()}000000`,
    count: String(values.length),
    sum: values.reduce((a, b) => a + b, 0),
    bucketCounts: buckets.map(String),
    explicitBounds: bounds,
    ...given,
  };
}

export function histogram(dataPoints: unknown, given: Given = {}): Given {
  return { name: "ml.inference.duration", unit: "s", histogram: { aggregationTemporality: 1, dataPoints }, ...given };
}

export function counter(dataPoints: unknown, given: Given = {}): Given {
  const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints };
  return { name: "ml.errors", unit: "{error}", sum, ...given };
}

export function counterPoint(value: unknown, attributes: Record<string, string>, given: Given = {}): Given {
  return { attributes: pairs(attributes), timeUnixNano: `${Date.now()}000000`, asInt: value, ...given };
}

export function metricsBody(metrics: unknown, service = "shop"): Given {
  const resource = { attributes: pairs({ "service.name": service }) };
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: "insitu" }, metrics }] }] };
}

export function logsBody(logRecords: unknown, service = "shop"): Given {
  const resource = { attributes: pairs({ "service.name": service }) };
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: "insitu" }, logRecords }] }] };
}
