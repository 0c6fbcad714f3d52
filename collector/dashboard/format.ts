// Turns figures into words with units; the same figure always looks the same.

/** For a figure that does not exist. */
export const NONE = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
// In tables and tiles: 7.50 under 12.6, so that a figure does not jump in width when its last digit is a zero.
const even = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function count(value: number): string {
  return whole.format(value);
}

/** Short enough for an axis. */
export function short(value: number): string {
  return Math.abs(value) >= 10_000 ? compact.format(value) : three.format(value);
}

export function rate(perSecond: number): string {
  return perSecond >= 1000 ? whole.format(perSecond) : three.format(perSecond);
}

/** Seconds, as `840 µs`, `12.3 ms` or `1.24 s`. */
export function duration(seconds: number): string {
  return lasting(seconds, even);
}

/** The same on an axis, where `5 ms` is enough. */
export function durationTick(seconds: number): string {
  return lasting(seconds, three);
}

function lasting(seconds: number, { format }: Intl.NumberFormat): string {
  if (seconds === 0) return "0 ms";
  if (seconds < 0.001) return `${format(seconds * 1e6)} µs`;
  if (seconds < 1) return `${format(seconds * 1000)} ms`;
  return `${format(seconds)} s`;
}

/** A share of one; `digits` after the point. */
export function percent(share: number, digits = 1): string {
  const value = share * 100;
  // A rate that is not zero must not read as zero.
  if (value > 0 && value < 0.1) return `${three.format(value)} %`;
  return `${value.toFixed(digits)} %`;
}

const SIZES = ["B", "kB", "MB", "GB", "TB"];

export function bytes(value: number): string {
  return sized(value, even);
}

/** The same for limits, where `5 MB` is enough. */
export function bytesTick(value: number): string {
  return sized(value, three);
}

function sized(value: number, { format }: Intl.NumberFormat): string {
  let index = 0;
  let rest = value;
  while (rest >= 1000 && index < SIZES.length - 1) {
    rest /= 1000;
    index += 1;
  }
  return `${index === 0 ? whole.format(rest) : format(rest)} ${SIZES[index]}`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** In the reader's time zone. */
export function time(ms: number): string {
  return clockSeconds.format(ms);
}

export function moment(ms: number): string {
  return `${day.format(ms)}, ${clock.format(ms)}`;
}

/** A tick of an axis of this length: hours for a day, days for a week. */
export function tick(ms: number, span: number): string {
  const midnight = clock.format(ms) === "00:00";
  return midnight || span > 3 * 86_400_000 ? day.format(ms) : clock.format(ms);
}

const LENGTHS: [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];

/** `15 s`, `5 min`, `3 h`: in the largest unit that leaves an integer. */
export function length(ms: number): string {
  const [size, name] = LENGTHS.find(([unit]) => ms >= unit && ms % unit === 0) ?? [1000, "s"];
  return `${three.format(ms / size)} ${name}`;
}

/** Attribute values are `out_of_memory`; people read `out of memory`. */
export function words(value: string): string {
  return value.replaceAll("_", " ");
}
