// The commands `insitu channel …`: which version browsers run, in the next release of a channel file.
import type { Command } from "commander";
import { InsituError } from "../../shared/errors.js";
import { randomHex } from "../../shared/hex.js";
import type { Channel, ChannelGuardrails } from "../../shared/types/rollout.js";
import { collect, expiry, nonEmpty, percent, positiveInteger, print, releaseNumber } from "../option-parsers.js";
import { addWho } from "../who.js";
import { type AutoFlags, addAutoOptions, runAuto } from "./auto-command.js";
import { openTarget, type TargetOptions } from "./open-target.js";
import { canariesOf, type Plan, planHold, planPromote, planRaise, planStart, versionOf } from "./plan.js";
import { publish } from "./publish.js";
import type { ChannelAction, PublishOptions } from "./release-options.js";
import { planBack } from "./roll-back.js";
import { addStatus } from "./status-command.js";
import type { ChannelState, ChannelTarget } from "./target.js";

export type PublishFlags = PublishOptions & TargetOptions;

const CHANNEL = "a channel file, a folder or s3: address with channel.json, or https://<collector>/v1/channels/<model>";

const HELP = `
Exit codes: 0 success, 1 failure, 2 wrong usage. Of auto and start --auto also: 3 rolled back, 4 undecided (with --once), 130 or 143 stopped.

Examples:
  insitu channel start public/models/objects --stable 1.0.0 --canary 1.1.0 --weight 5 --sign key.json
  insitu channel raise public/models/objects --to 25 --sign key.json --why "no more errors than before"
  insitu channel auto https://collector.example/v1/channels/objects --sign key.json --every 60s
  insitu channel status public/models/objects --collector https://collector.example`;

export function addChannel(program: Command): void {
  const channel = program
    .command("channel")
    .description("publish which version browsers run: a canary, its share, a promotion, a rollback")
    .addHelpText("after", HELP);
  addStart(channel);
  addRaise(channel);
  addHold(channel);
  addPromote(channel);
  addRollback(channel);
  addAuto(channel);
  addStatus(channel);
}

/** The options of every command that writes a release. */
function addPublishing(command: Command): Command {
  addWho(command.argument("<channel>", CHANNEL));
  return command
    .option("--sign <key.json>", "sign with a private key from keygen; repeatable", collect)
    .option("--unsigned", "publish without a signature what was signed before")
    .option(
      "--expires <time>",
      "ISO 8601 time from which browsers refuse the channel, or never (default: as before)",
      expiry,
    )
    .option("--release <n>", "release number (default: the next)", releaseNumber)
    .option("--if-release <n>", "refuse unless this release is in force", releaseNumber)
    .option(
      "--token <token>",
      "the operator's token at the collector (default: INSITU_TOKEN)",
      process.env.INSITU_TOKEN,
    )
    .option(
      "--packages <place>",
      "of a channel at a collector: the folder or address that its packages' paths are relative to",
    );
}

/** Publishes and prints the release. */
async function publishAndPrint(
  argument: string,
  action: ChannelAction,
  flags: PublishFlags,
  plan: (before: ChannelState | undefined, target: ChannelTarget) => Promise<Plan>,
): Promise<ChannelTarget> {
  const target = await openTarget(argument, flags);
  const { channel, summary, where, followed } = await publish(target, action, (before) => plan(before, target), flags);
  const signers = (channel.signatures ?? []).map(({ keyId }) => keyId);
  print(
    `${where}: ${channel.model}, release ${channel.release}, ${signers.length > 0 ? `signed by ${signers.join(", ")}` : "unsigned"}\n${[summary, ...followed].join("\n")}`,
  );
  return target;
}

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

function addStart(channel: Command): void {
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
    .option("--failures <n>", "guardrail: failed predictions in a row", positiveInteger)
    .option("--max-latency <ms>", "guardrail: the median of the last predictions", positiveInteger)
    .option("--latency-window <n>", "guardrail: number of predictions for that median", positiveInteger)
    .option("--crashes <n>", "guardrail: crashes of the page within a day", positiveInteger)
    .option("--auto", "then follow the collector's decisions, as insitu channel auto does");
  addAutoOptions(addPublishing(command)).action(async (argument: string, flags: StartFlags) => {
    const target = await publishAndPrint(argument, "start", flags, async (before, target) => {
      const find = async (given: string | undefined) => given && (await target.packages.find(given));
      const [stable, canary, shadow] = [await find(flags.stable), await find(flags.canary), await find(flags.shadow)];
      for (const found of [stable, canary, shadow])
        if (found && flags.sign && found.signedBy.length === 0)
          process.stderr.write(
            `Note: ${found.package} is not signed; pages with trusted keys refuse it. Sign it with "insitu sign" before you publish it.\n`,
          );
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
    if (flags.auto) await runAuto(target, argument, flags);
  });
}

/** The limits that were given, on top of those that are in force. */
function guardrailsOf(flags: StartFlags, before: Channel | undefined): { guardrails?: ChannelGuardrails } {
  const given = (["failures", "maxLatency", "latencyWindow", "crashes"] as const).flatMap((name) =>
    flags[name] === undefined ? [] : [[name, flags[name]] as const],
  );
  return given.length > 0 ? { guardrails: { ...before?.guardrails, ...Object.fromEntries(given) } } : {};
}

/** The channel that a command changes. */
function existing(before: ChannelState | undefined, where: string): Channel {
  if (before) return before.channel;
  throw new InsituError("input_invalid", `${where} does not exist. Begin with "insitu channel start".`, { where });
}

/** Verifies the package of the canary that gets more browsers. */
async function checkCanary(channel: Channel, target: ChannelTarget, version: string | undefined): Promise<void> {
  const canary = canariesOf(channel).find((one) => version === undefined || versionOf(one) === version);
  if (canary) await target.packages.find(canary.package);
}

interface ArmFlags extends PublishFlags {
  arm?: string;
}

const ARM = ["--arm <version>", "the canary, where there are several"] as const;

function addRaise(channel: Command): void {
  const command = channel
    .command("raise")
    .description("give the canary a larger share of the browsers; nobody leaves it")
    .requiredOption("--to <percent>", "its new share", percent)
    .option(...ARM);
  addPublishing(command).action(async (argument: string, flags: ArmFlags & { to: number }) => {
    await publishAndPrint(argument, "raise", flags, async (before, target) => {
      const plan = planRaise(existing(before, target.where), flags.to, flags.arm);
      await checkCanary(existing(before, target.where), target, flags.arm);
      return plan;
    });
  });
}

function addHold(channel: Command): void {
  const command = channel
    .command("hold")
    .description("keep the shares: auto raises and promotes nothing until the next raise, promote or start");
  addPublishing(command).action(async (argument: string, flags: PublishFlags) => {
    await publishAndPrint(argument, "hold", flags, async (before, target) => planHold(existing(before, target.where)));
  });
}

function addPromote(channel: Command): void {
  const command = channel
    .command("promote")
    .description("make the canary the stable version of all browsers")
    .option(...ARM);
  addPublishing(command).action(async (argument: string, flags: ArmFlags) => {
    await publishAndPrint(argument, "promote", flags, async (before, target) => {
      const plan = planPromote(existing(before, target.where), flags.arm);
      await checkCanary(existing(before, target.where), target, flags.arm);
      return plan;
    });
  });
}

function addRollback(channel: Command): void {
  const command = channel
    .command("rollback")
    .description("end the canary; without one, go back to the stable version before")
    .option("--to <package>", "the version to go back to", nonEmpty)
    .option(...ARM);
  addPublishing(command).action(async (argument: string, flags: ArmFlags & { to?: string }) => {
    await publishAndPrint(argument, "rollback", flags, (before, target) =>
      planBack(existing(before, target.where), target, flags),
    );
  });
}

function addAuto(channel: Command): void {
  const command = channel
    .command("auto")
    .description("follow the collector's decisions: raise step by step, promote, or roll back");
  addAutoOptions(addPublishing(command)).action(async (argument: string, flags: PublishFlags & AutoFlags) =>
    runAuto(await openTarget(argument, flags), argument, flags),
  );
}
