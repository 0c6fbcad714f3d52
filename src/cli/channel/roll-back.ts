// What `insitu channel rollback` goes back to: the shares without the canary, or the stable version before this one.
import { InsituError } from "../../shared/errors.js";
import type { Channel } from "../../shared/types/rollout.js";
import { canariesOf, type Plan, planReturn, planRollback, stableOf, versionOf } from "./plan.js";
import type { ChannelTarget, StableArm } from "./target.js";

export async function planBack(
  channel: Channel,
  target: ChannelTarget,
  { to, arm }: { to?: string; arm?: string },
): Promise<Plan> {
  // No package is verified here: a rollback must not fail because the version that it ends is damaged.
  if (to === undefined && (arm !== undefined || canariesOf(channel).length > 0)) return planRollback(channel, arm);
  const earlier = to ?? previousStable(await target.stableArms(), channel);
  if (earlier === undefined) {
    const message = `${target.where} has no canary and no record of a version before ${versionOf(stableOf(channel))}. Pass --to with the version to go back to.`;
    throw new InsituError("input_invalid", message, { where: target.where });
  }
  return planReturn(channel, await target.packages.find(earlier));
}

/**
 * The stable package before the present one became stable for the first time: after a rollback, the next goes further back instead of
 * returning to what was left. `arms` are newest first.
 */
function previousStable(arms: StableArm[], channel: Channel): string | undefined {
  const first = arms.findLastIndex(({ version }) => version === versionOf(stableOf(channel)));
  const before = first < 0 ? arms[0] : arms[first + 1];
  return before?.package ?? before?.version;
}
