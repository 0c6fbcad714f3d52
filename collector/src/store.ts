// Keeps series and events in DuckDB: one file, real SQL, and sums that survive a restart.
import { DuckDBInstance } from "@duckdb/node-api";
import type { LogEvent, Point } from "./otlp.js";

export interface Series {
  name: string;
  unit: string;
  kind: "histogram" | "counter";
  attributes: Record<string, string>;
  /** Observations of a histogram, the total of a counter. */
  value: number;
  sum: number;
  bounds: number[];
  buckets: number[];
}

export interface Store {
  /** Adds all points or none; resolves once they are on disk. */
  addPoints(points: Point[]): Promise<void>;
  addEvents(events: LogEvent[]): Promise<void>;
  series(): Promise<Series[]>;
  close(): Promise<void>;
}

// OpenTelemetry's overflow stream takes what comes after; Prometheus and people stop reading long before.
const MAX_SERIES = 5000;
const OVERFLOW = { "otel.metric.overflow": "true" };

/** Each runs once, in order, and is never changed after a release: a new one is added instead. */
const MIGRATIONS = [
  `CREATE TABLE series (
     key VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, unit VARCHAR NOT NULL, kind VARCHAR NOT NULL, attributes VARCHAR NOT NULL,
     bounds DOUBLE[] NOT NULL, value DOUBLE NOT NULL, sum DOUBLE NOT NULL, buckets DOUBLE[] NOT NULL);
   CREATE TABLE cumulative (key VARCHAR PRIMARY KEY, value DOUBLE NOT NULL, sum DOUBLE NOT NULL, buckets DOUBLE[] NOT NULL);
   CREATE TABLE events (received TIMESTAMP DEFAULT current_timestamp, time UBIGINT, name VARCHAR, severity INTEGER, attributes VARCHAR, resource VARCHAR);`,
];

/** A point as what it adds to its series. */
interface Addition {
  key: string;
  point: Point;
  attributes: Record<string, string>;
  value: number;
  sum: number;
  bounds: number[];
  buckets: number[];
}

export async function openStore(file: string): Promise<Store> {
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  await migrate();
  const known = new Set((await rows("SELECT key FROM series")).map((row) => String(row.key)));
  let last: Promise<unknown> = Promise.resolve();

  async function rows(sql: string, values: (string | number)[] = []): Promise<Record<string, unknown>[]> {
    return (await connection.runAndReadAll(sql, values)).getRowObjectsJson() as Record<string, unknown>[];
  }

  async function migrate(): Promise<void> {
    await connection.run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied TIMESTAMP DEFAULT current_timestamp)");
    const [{ done = 0 } = {}] = await rows("SELECT count(*)::INTEGER AS done FROM migrations");
    for (const [version, sql] of MIGRATIONS.entries()) {
      if (version < Number(done)) continue;
      await connection.run(`BEGIN; ${sql} INSERT INTO migrations (version) VALUES (${version}); COMMIT;`);
    }
  }

  /** One transaction at a time: a connection has no more. A failed one never stops the next. */
  const transaction = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = last.then(async () => {
      await connection.run("BEGIN");
      try {
        const result = await run();
        await connection.run("COMMIT");
        return result;
      } catch (error) {
        await connection.run("ROLLBACK");
        throw error;
      }
    });
    last = mine.catch(() => undefined);
    return mine;
  };

  const place = (point: Point): { key: string; attributes: Record<string, string> } => {
    const service = point.resource["service.name"];
    const attributes = { ...point.attributes, ...(service && { "service.name": service }) };
    const key = keyOf(point, attributes);
    if (known.has(key) || known.size < MAX_SERIES) return { key, attributes };
    return { key: keyOf(point, OVERFLOW), attributes: OVERFLOW };
  };

  /** What a point adds: itself, or its difference from the writer's last one. */
  const addition = async (point: Point): Promise<Addition> => {
    const whole = {
      value: point.kind === "histogram" ? point.count : point.value,
      sum: point.kind === "histogram" ? point.sum : 0,
      bounds: point.kind === "histogram" ? point.bounds : [],
      buckets: point.kind === "histogram" ? point.buckets : [],
    };
    if (point.temporality === "delta") return { point, ...place(point), ...whole };
    const writer = JSON.stringify([keyOf(point, point.attributes), point.resource, point.start]);
    const [before] = await rows("SELECT value, sum, buckets FROM cumulative WHERE key = ?", [writer]);
    await connection.run("INSERT OR REPLACE INTO cumulative VALUES (?, ?, ?, ?::DOUBLE[])", [writer, whole.value, whole.sum, JSON.stringify(whole.buckets)]);
    const earlier = (before?.buckets ?? []) as number[];
    return {
      point,
      ...place(point),
      bounds: whole.bounds,
      value: Math.max(0, whole.value - Number(before?.value ?? 0)),
      sum: Math.max(0, whole.sum - Number(before?.sum ?? 0)),
      buckets: whole.buckets.map((count, index) => Math.max(0, count - (earlier[index] ?? 0))),
    };
  };

  const add = async ({ key, point, attributes, value, sum, bounds, buckets }: Addition): Promise<void> => {
    await connection.run(
      `INSERT INTO series VALUES (?, ?, ?, ?, ?, ?::DOUBLE[], ?, ?, ?::DOUBLE[])
       ON CONFLICT (key) DO UPDATE SET value = value + excluded.value, sum = sum + excluded.sum,
         buckets = list_transform(list_zip(buckets, excluded.buckets), pair -> pair[1] + pair[2])`,
      [key, point.name, point.unit, point.kind, JSON.stringify(attributes), JSON.stringify(bounds), value, sum, JSON.stringify(buckets)],
    );
  };

  return {
    addPoints: (points) =>
      transaction(async () => {
        const touched: string[] = [];
        for (const point of points) {
          const one = await addition(point);
          await add(one);
          touched.push(one.key);
        }
        for (const key of touched) known.add(key);
      }),
    addEvents: (events) =>
      transaction(async () => {
        for (const { name, time, severity, attributes, resource } of events) {
          const values = [time, name, severity, JSON.stringify(attributes), JSON.stringify(resource)];
          await connection.run("INSERT INTO events (time, name, severity, attributes, resource) VALUES (?::UBIGINT, ?, ?, ?, ?)", values);
        }
      }),
    series: () =>
      transaction(async () =>
        (await rows("SELECT name, unit, kind, attributes, value, sum, bounds, buckets FROM series ORDER BY name, key")).map(
          (row) => ({ ...row, attributes: JSON.parse(String(row.attributes)) }) as Series,
        ),
      ),
    async close() {
      await last;
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Two histograms with other bounds are other series: their buckets cannot be added. */
function keyOf(point: Point, attributes: Record<string, string>): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([point.name, point.unit, point.kind === "histogram" ? point.bounds : "counter", sorted]);
}
