// Parsers of option values that several commands take: integers, shares, times, lists.
import { InvalidArgumentError } from "commander";
import { isIsoTime } from "../shared/signed-fields.js";

/** V8 reads 2027-02-31 as March 3; other browsers, and so their pages, refuse it. */
function isDay(time: string): boolean {
  const [year = 0, month = 0, day = 0] = time.slice(0, 10).split("-").map(Number);
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);

export function integer(value: string, min: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number) || number < min)
    throw new InvalidArgumentError(`It must be an integer of at least ${min}.`);
  return number;
}

export const releaseNumber = (value: string): number => integer(value, 0);

export const positiveInteger = (value: string): number => integer(value, 1);

export function nonEmpty(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty. Pass a value, or omit the option.");
  return value;
}

/** For an option that may be given several times. */
export const collect = (value: string, before: unknown): string[] => [
  ...((before as string[] | undefined) ?? []),
  value,
];

/** A share of the browsers in percent, over 0 to 100. */
export function percent(value: string): number {
  const number = Number(value.replace(/%$/, ""));
  if (!/^\d+(\.\d+)?%?$/.test(value) || number <= 0 || number > 100)
    throw new InvalidArgumentError("It must be a share in percent, over 0 to 100, such as 5.");
  return number;
}

/** Shares in percent in ascending order, such as `5,25,50,100`. */
export function percents(value: string): number[] {
  const steps = value.split(",").map((step) => percent(step.trim()));
  if (steps.some((step, index) => index > 0 && step <= (steps[index - 1] as number)))
    throw new InvalidArgumentError("The steps must ascend, such as 5,25,50,100.");
  return steps;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
// setTimeout takes no more.
const MAX_DURATION = 2 ** 31 - 1;

/** A time such as `60s`, `10m` or `2h`, in milliseconds; a bare number is seconds. */
export function duration(value: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(value) ?? [];
  const milliseconds = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!(milliseconds <= MAX_DURATION))
    throw new InvalidArgumentError("It must be a time such as 30s, 10m or 2h, at most 24d.");
  return milliseconds;
}

/** A time between two looks; without any the other side would be asked without a pause. */
export function waitTime(value: string): number {
  const milliseconds = duration(value);
  if (milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError("It must be over 0, such as 60s.");
}

/** ISO 8601 as a manifest takes it, or `never`. */
export function expiry(value: string): string {
  if (value === "never") return value;
  if (!isIsoTime(value) || !isDay(value))
    throw new InvalidArgumentError("It must be an ISO 8601 time such as 2030-01-31T12:00:00Z, or never.");
  return value;
}
