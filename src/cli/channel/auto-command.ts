// The options of `insitu channel auto`, its ending by a signal, and its exit codes.
import type { Command } from "commander";
import { InsituError } from "../../shared/errors.js";
import { readKey } from "../keys.js";
import { duration, nonEmpty, percents, print, waitTime } from "../option-parsers.js";
import { type AutoEnd, followDecisions } from "./auto.js";
import { isCollectorAddress } from "./collector-target.js";
import { checkSigning } from "./publish.js";
import type { PublishOptions } from "./release-options.js";
import type { ChannelTarget } from "./target.js";

export interface CollectorFlags {
  collector?: string;
  readToken?: string;
  token?: string;
}

export interface AutoFlags extends CollectorFlags {
  every: number;
  once?: boolean;
  steps: number[];
  pause: number;
}

const EXIT_CODES: Record<AutoEnd, number> = { promoted: 0, idle: 0, rolled_back: 3, undecided: 4, stopped: 130 };
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

export function addCollectorOptions(command: Command): Command {
  return command
    .option("--collector <url>", "the collector that decides (default: the one of the channel)", nonEmpty)
    .option(
      "--read-token <token>",
      "the collector's read token (default: INSITU_READ_TOKEN, then --token)",
      process.env.INSITU_READ_TOKEN,
    );
}

export function addAutoOptions(command: Command): Command {
  return addCollectorOptions(command)
    .option("--every <time>", "time between two looks, such as 60s or 10m", waitTime, 60_000)
    .option("--once", "look once, for a cron job")
    .option("--steps <percents>", "shares to raise to; to 100 by a promotion only", percents, [5, 25, 50, 100])
    .option("--pause <time>", "time that a share lasts at least before the next step", duration, 600_000);
}

/** The address and token of the collector of a channel. Undefined without --collector for a channel that is a file. */
export function collectorOf(
  argument: string,
  { collector, readToken, token }: CollectorFlags,
): { url: string; token?: string } | undefined {
  const url = collector ?? (isCollectorAddress(argument) ? argument.replace(/\/v1\/channels\/[^/]*$/, "") : undefined);
  const used = readToken ?? token;
  return url === undefined ? undefined : { url, ...(used !== undefined && { token: used }) };
}

export async function runAuto(
  target: ChannelTarget,
  argument: string,
  flags: PublishOptions & AutoFlags,
): Promise<void> {
  const collector = collectorOf(argument, flags);
  if (!collector)
    throw new InsituError("input_invalid", `${argument} is a file: pass --collector with the collector that decides.`);
  // Hours before the first step that needs it.
  const keys = await Promise.all((flags.sign ?? []).map(readKey));
  // A channel that cannot be read now is told at the first look, and read again at the next.
  await checkSigning(await target.read().catch(() => undefined), flags, keys, target.where);
  const stop = new AbortController();
  let stoppedBy: keyof typeof SIGNALS = "SIGINT";
  const onSignal = (name: keyof typeof SIGNALS) => {
    stoppedBy = name;
    stop.abort();
  };
  // Once: a second signal ends the process at once, as without this.
  for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.once(name, () => onSignal(name));
  const end = await followDecisions(target, { ...collector, signal: stop.signal }, flags, print);
  if (end === "stopped") print("Stopped. The channel stays as it is.");
  process.exitCode = end === "stopped" ? SIGNALS[stoppedBy] : EXIT_CODES[end];
}
