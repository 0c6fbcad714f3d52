// The command `insitu channel start`: a new channel, or a canary, a shadow or a new stable version in one.
import type { Command } from "commander";
import { randomHex } from "../../shared/hex.js";
import type { Channel, ChannelGuardrails } from "../../shared/types/rollout.js";
import { nonEmpty, percent, positiveInteger } from "../option-parsers.js";
import { type AutoFlags, addAutoOptions, runAuto } from "./auto-command.js";
import { planStart } from "./plan.js";
import { addPublishing, type PublishFlags, publishAndPrint } from "./publishing.js";

interface StartFlags extends PublishFlags, AutoFlags, ChannelGuardrails {
  stable?: string;
  canary?: string;
  weight?: number;
  shadow?: string;
  share?: number;
  several?: boolean;
  salt?: string;
  auto?: boolean;
}

const UNSIGNED = 'is not signed; pages with trusted keys refuse it. Sign it with "insitu sign" before you publish it.';
const UNTESTED =
  "has no self-test: nobody has checked that it runs, and browsers use it without a check. Load it in a page first, or pack it with a self-test.";

export function addStart(channel: Command): void {
  const command = channel
    .command("start")
    .description("create a channel, or start a canary, a shadow or a new stable version in it")
    .option(
      "--stable <package>",
      "the version that all other browsers run; a version, a folder, or a path in the channel's folder",
      nonEmpty,
    )
    .option("--canary <package>", "a new version for a share of the browsers", nonEmpty)
    .option("--weight <percent>", "the canary's share of the browsers (default: 5)", percent)
    .option(
      "--shadow <package>",
      "a version that predicts a second time, whose results are compared and not shown",
      nonEmpty,
    )
    .option("--share <percent>", "share of the inputs that the shadow predicts (default: 10)", percent)
    .option("--several", "allow a second canary")
    .option(
      "--salt <text>",
      "decides which browsers are on which arm; another one only without a canary (default: as before, or random)",
      nonEmpty,
    )
    .option("--auto", "then follow the collector's decisions, as insitu channel auto does");
  addAutoOptions(addPublishing(addGuardrails(command))).action(async (argument: string, flags: StartFlags) => {
    // Planned again when another publisher is faster: told once, at the end.
    const unsigned = new Set<string>();
    const untested = new Set<string>();
    const target = await publishAndPrint(argument, "start", flags, async (before, target) => {
      const find = async (given: string | undefined) => given && (await target.packages.find(given));
      const [stable, canary, shadow] = [await find(flags.stable), await find(flags.canary), await find(flags.shadow)];
      for (const found of [stable, canary, shadow]) {
        if (found && flags.sign && found.signedBy.length === 0) unsigned.add(found.package);
        if (found && !found.isTested) untested.add(found.package);
      }
      return planStart(
        before?.channel,
        {
          ...(stable && { stable }),
          ...(canary && { canary }),
          ...(shadow && { shadow }),
          ...(flags.weight !== undefined && { weight: flags.weight }),
          ...(flags.share !== undefined && { share: flags.share / 100 }),
          ...(flags.several && { several: true }),
          ...guardrailsOf(flags, before?.channel),
          salt: flags.salt ?? randomHex(8),
          ...(flags.salt !== undefined && { newSalt: flags.salt }),
        },
        target.where,
      );
    });
    note(unsigned, UNSIGNED);
    note(untested, UNTESTED);
    if (flags.auto) await runAuto(target, argument, flags);
  });
}

function addGuardrails(command: Command): Command {
  return command
    .option("--failures <n>", "guardrail: failed predictions in a row", positiveInteger)
    .option("--max-latency <ms>", "guardrail: the median of the last predictions", positiveInteger)
    .option("--latency-window <n>", "guardrail: number of predictions for that median", positiveInteger)
    .option("--crashes <n>", "guardrail: crashes of the page within a day", positiveInteger);
}

function note(paths: Iterable<string>, about: string): void {
  for (const path of paths) process.stderr.write(`Note: ${path} ${about}\n`);
}

/** The limits that were given, on top of those that are in force. */
function guardrailsOf(flags: StartFlags, before: Channel | undefined): { guardrails?: ChannelGuardrails } {
  const given = (["failures", "maxLatency", "latencyWindow", "crashes"] as const).flatMap((name) =>
    flags[name] === undefined ? [] : [[name, flags[name]] as const],
  );
  return given.length > 0 ? { guardrails: { ...before?.guardrails, ...Object.fromEntries(given) } } : {};
}
