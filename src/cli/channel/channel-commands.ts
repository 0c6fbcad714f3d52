// The commands `insitu channel …`: which version browsers run, in the next release of a channel file.
import type { Command } from "commander";
import { InsituError } from "../../shared/errors.js";
import type { Channel } from "../../shared/types/rollout.js";
import { nonEmpty, percent } from "../option-parsers.js";
import { type AutoFlags, addAutoOptions, runAuto } from "./auto-command.js";
import { openTarget } from "./open-target.js";
import { planHold, planPromote, planRaise } from "./plan.js";
import { addPublishing, type PublishFlags, publishAndPrint } from "./publishing.js";
import { planBack } from "./roll-back.js";
import { addStart } from "./start-command.js";
import { addStatus } from "./status-command.js";
import type { ChannelState } from "./target.js";
import { verifyCanary } from "./verify-canary.js";

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

/** The channel that a command changes. */
function existing(before: ChannelState | undefined, where: string): Channel {
  if (before) return before.channel;
  throw new InsituError("input_invalid", `${where} does not exist. Begin with "insitu channel start".`, { where });
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
      await verifyCanary(existing(before, target.where), target, flags.arm);
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
      await verifyCanary(existing(before, target.where), target, flags.arm);
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
