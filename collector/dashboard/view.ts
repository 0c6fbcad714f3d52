// What the reader looks at: kept in the address, so that a link shows the same; pure.

export const RANGES = { "15m": 900_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 } as const;
export type RangeName = keyof typeof RANGES;

export interface View {
  range: RangeName | "custom";
  /** Ms since 1970; only with "custom". */
  from: number | null;
  to: number | null;
  model: string;
  version: string;
  backend: string;
}

// Steps that divide an hour or a day, so that a step's edge is an edge on the clock as well.
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 86_400].map((seconds) => seconds * 1000);
const WANTED_STEPS = 60;

export function readView(search: string): View {
  const query = new URLSearchParams(search);
  const get = (name: string) => query.get(name) ?? "";
  const from = timeOf(get("from"));
  const to = timeOf(get("to"));
  const filters = { model: get("model"), version: get("version"), backend: get("backend") };
  if (from < to) return { range: "custom", from, to, ...filters };
  const name = get("range");
  return { range: Object.hasOwn(RANGES, name) ? (name as RangeName) : "1h", from: null, to: null, ...filters };
}

/** NaN also for a day that does not exist, of which `Date.parse` makes one of the next month. */
export function timeOf(text: string): number {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text) ?? [];
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) <= lastDay ? Date.parse(text) : Number.NaN;
}

/** Without what is the default anyway. */
export function writeView(view: View): string {
  const query = new URLSearchParams();
  if (view.range === "custom" && view.from !== null && view.to !== null) {
    query.set("from", new Date(view.from).toISOString());
    query.set("to", new Date(view.to).toISOString());
  } else if (view.range !== "1h" && view.range !== "custom") query.set("range", view.range);
  for (const name of ["model", "version", "backend"] as const) if (view[name]) query.set(name, view[name]);
  return query.size > 0 ? `?${query}` : "";
}

/** Begins and ends on edges of steps: otherwise every refresh would cut the same data differently and the plots shiver. */
export function windowOf(view: View, now: number): { from: number; to: number; step: number } {
  const custom = view.range === "custom" && view.from !== null && view.to !== null;
  const span = view.range === "custom" ? (view.to ?? 0) - (view.from ?? 0) : RANGES[view.range];
  const step =
    STEPS.find((one) => span / one <= WANTED_STEPS) ?? Math.ceil(span / WANTED_STEPS / 86_400_000) * 86_400_000;
  const end = custom ? (view.to ?? now) : now;
  const to = Math.ceil(end / step) * step;
  const from = custom ? Math.floor((view.from ?? 0) / step) * step : to - Math.ceil(span / step) * step;
  return { from, to, step };
}

export function isFiltered({ model, version, backend }: View): boolean {
  return model !== "" || version !== "" || backend !== "";
}

/** Whether new data can still come into what is looked at. */
export function isLive(view: View, now: number): boolean {
  return view.range !== "custom" || (view.to ?? 0) > now;
}
