// The command `insitu channel status`: the arms, the last changes, and the collector's decision.
import type { Command } from "commander";
import { InsituError, isInsituError } from "../../shared/errors.js";
import { print } from "../option-parsers.js";
import { addCollectorOptions, type CollectorFlags, collectorOf } from "./auto-command.js";
import { fetchDecision } from "./decision.js";
import { openTarget } from "./open-target.js";
import { percentOf, versionOf } from "./plan.js";
import { type ChannelStatus, statusText } from "./status-text.js";

interface StatusFlags extends CollectorFlags {
  json?: boolean;
}

export function addStatus(channel: Command): void {
  const command = channel
    .command("status")
    .description("print the arms, their shares, the last changes and the collector's decision")
    .argument("<channel>", "as for the other commands")
    .option(
      "--token <token>",
      "the operator's token at the collector (default: INSITU_TOKEN)",
      process.env.INSITU_TOKEN,
    )
    .option("--json", "print JSON");
  addCollectorOptions(command).action(async (argument: string, flags: StatusFlags) => {
    const status = await readStatus(argument, flags);
    print(flags.json ? JSON.stringify(statusJson(status), null, 2) : statusText(status));
  });
}

async function readStatus(argument: string, flags: StatusFlags): Promise<ChannelStatus> {
  const target = await openTarget(argument, { ...(flags.token !== undefined && { token: flags.token }) });
  const state = await target.read(false);
  if (!state)
    throw new InsituError("input_invalid", `${target.where} does not exist. Begin with "insitu channel start".`);
  const { channel, note } = state;
  const status: ChannelStatus = { where: target.where, channel, history: [], ...(note !== undefined && { note }) };
  const collector = collectorOf(argument, flags);
  const problems: string[] = [];
  const tell = (error: unknown) => {
    if (!isInsituError(error)) throw error;
    problems.push(error.message);
    return undefined;
  };
  // A channel at a collector is public, its history is not.
  status.history = (await target.history().catch(tell)) ?? [];
  const decision = collector && (await fetchDecision(collector, channel.model).catch(tell));
  if (decision) status.decision = decision;
  if (problems.length > 0) status.problem = [...new Set(problems)].join(" ");
  return status;
}

function statusJson({ channel, ...rest }: ChannelStatus): object {
  const arms = channel.arms.map((arm) => ({ ...arm, version: versionOf(arm), percent: percentOf(channel, arm) }));
  return { ...rest, model: channel.model, release: channel.release, channel: { ...channel, arms } };
}
