// Decides which versions of a channel this browser tries to run, in which order; pure.
import { packageOfArm } from "../../../shared/rollout/parse-channel.js";
import type { ArmRole, BlockedVersion, Channel, ChannelArm, KnownGood } from "../../../shared/types/rollout.js";

/** A version that may run. */
export interface Target {
  /** Absolute address of its folder. */
  package: string;
  version: string;
  role: ArmRole;
  arm: ChannelArm;
}

export interface Choice {
  /** Address of the channel. */
  url: string;
  channel: Channel;
  /** What the seed of this browser was given. */
  assigned: ChannelArm;
  blocked: readonly BlockedVersion[];
  lastGood?: KnownGood;
}

export function targetOf(url: string, arm: ChannelArm): Target {
  return { package: packageOfArm(url, arm), version: arm.version ?? arm.package, role: arm.role, arm };
}

/** The last known good version as a target: in the role that the channel gives it, else as a stable one. */
export function knownGoodTarget({ url, channel, lastGood }: Choice): Target | undefined {
  if (!lastGood) return undefined;
  const arms = channel.arms.filter(({ role }) => role !== "shadow").map((arm) => targetOf(url, arm));
  const { package: address, version } = lastGood;
  const arm: ChannelArm = { package: address, weight: 0, role: "stable", version };
  return arms.find((target) => target.package === address) ?? { package: address, version, role: "stable", arm };
}

/** Whether a block holds: a version that could not be loaded may be another try's worth once the channel has changed. */
export function isBlocked(address: string, { blocked, channel }: Pick<Choice, "blocked" | "channel">): boolean {
  return blocked.some(
    ({ package: path, reason, release }) => path === address && (reason !== "load" || release >= channel.release),
  );
}

/** The assigned version, the stable one, the last known good one: without those that are blocked. */
export function chooseTargets(choice: Choice): Target[] {
  const { url, channel, assigned } = choice;
  const stable = channel.arms.find(({ role }) => role === "stable") as ChannelArm;
  return allowed([targetOf(url, assigned), targetOf(url, stable), knownGoodTarget(choice)], choice);
}

/** Where to go from a version that went beyond a limit: what ran well here, before what others run. */
export function rollbackTargets(choice: Choice, left: string): Target[] {
  const known = knownGoodTarget(choice);
  return allowed([known, ...chooseTargets(choice)], choice).filter((target) => target.package !== left);
}

function allowed(targets: (Target | undefined)[], choice: Choice): Target[] {
  const byAddress = new Map<string, Target>();
  for (const target of targets)
    if (target && !byAddress.has(target.package) && !isBlocked(target.package, choice))
      byAddress.set(target.package, target);
  return [...byAddress.values()];
}
