// What the commands that write a release have in common: their options, and what they print.
import type { Command } from "commander";
import { collect, expiry, print, releaseNumber } from "../option-parsers.js";
import { addWho } from "../who.js";
import { openTarget, type TargetOptions } from "./open-target.js";
import type { Plan } from "./plan.js";
import { publish } from "./publish.js";
import type { ChannelAction, PublishOptions } from "./release-options.js";
import type { ChannelState, ChannelTarget } from "./target.js";

export type PublishFlags = PublishOptions & TargetOptions;

const CHANNEL = "a channel file, a folder or s3: address with channel.json, or https://<collector>/v1/channels/<model>";

/** The options of every command that writes a release. */
export function addPublishing(command: Command): Command {
  addWho(command.argument("<channel>", CHANNEL));
  return command
    .option("--sign <key.json>", "sign with a private key from keygen; repeatable", collect)
    .option("--unsigned", "publish without a signature what was signed before")
    .option("--edited", "go on from a signed channel that was edited by hand since it was signed")
    .option(
      "--expires <time>",
      "ISO 8601 time from which browsers refuse the channel, or never (default: as before)",
      expiry,
    )
    .option("--release <n>", "release number (default: the next)", releaseNumber)
    .option("--large-step", "allow a --release that is more than 1,000,000 above the one before")
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
export async function publishAndPrint(
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
