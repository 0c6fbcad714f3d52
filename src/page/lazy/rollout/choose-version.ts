// Decides which versions of a channel this browser tries to run, in which order; pure.
import { InsituError } from "../../../shared/errors.js";
import { packageOfArm } from "../../../shared/rollout/parse-channel.js";
import type { ArmRole, BlockedVersion, Channel, ChannelArm, KnownGood } from "../../../shared/types/rollout.js";
import { crashLimit, isStillBroken } from "./guardrails.js";

/** A version that may run. */
export interface Target {
  /** Absolute address of its folder. */
  package: string;
  version: string;
  role: ArmRole;
  arm: ChannelArm;
  /** It is not opened after this many crashes. */
  maxCrashes?: number;
  /** It was left, and is opened only if its folder holds another digest by now. */
  not?: string;
}

export interface Choice {
  /** What the addresses of the packages are relative to: the channel, or the folder of its packages. */
  base: string;
  channel: Channel;
  /** What the seed of this browser was given. */
  assigned: ChannelArm;
  blocked: readonly BlockedVersion[];
  lastGood?: KnownGood;
}

export function targetOf(base: string, arm: ChannelArm): Target {
  return { package: packageOfArm(base, arm), version: arm.version ?? arm.package, role: arm.role, arm };
}

/** The version that the page pins by `option`. Throws `input_invalid` where the channel does not have it. */
export function pinnedTarget({ base, channel }: Pick<Choice, "base" | "channel">, pin: string, option: string): Target {
  const arm = channel.arms.find(({ version }) => version === pin);
  if (arm) return targetOf(base, arm);
  const versions = channel.arms.map(({ version }) => version);
  const message = `${option} is ${pin}, which is no version of the channel. Pin ${versions.join(", ")}, or nothing to unpin.`;
  throw new InsituError("input_invalid", message, { option, value: pin, versions });
}

/** The last known good version as a target: in the role that the channel gives it, else as a stable one. */
export function knownGoodTarget({ base, channel, lastGood }: Choice): Target | undefined {
  if (!lastGood) return undefined;
  const arms = channel.arms.filter(({ role }) => role !== "shadow").map((arm) => targetOf(base, arm));
  const { package: address, version } = lastGood;
  const arm: ChannelArm = { package: address, weight: 0, role: "stable", version };
  return arms.find((target) => target.package === address) ?? { package: address, version, role: "stable", arm };
}

/**
 * Whether a block holds. One after a failed load ends with the next release, which may be worth another try; one after a breach where the
 * limits of now allow what was measured.
 */
export function isBlocked(address: string, { blocked, channel }: Pick<Choice, "blocked" | "channel">): boolean {
  return blocked.some((block) => {
    if (block.package !== address) return false;
    const { reason, count = 0, release } = block;
    if (reason === "load") return release >= channel.release;
    return isStillBroken({ reason, count }, channel.guardrails);
  });
}

/** The assigned version, the stable one, the last known good one: without those that are blocked. */
export function chooseTargets(choice: Choice): Target[] {
  const { base, channel, assigned } = choice;
  const stable = channel.arms.find(({ role }) => role === "stable") as ChannelArm;
  const targets = [targetOf(base, assigned), targetOf(base, stable), knownGoodTarget(choice)];
  return unique(targets, choice).filter((target) => !isBlocked(target.package, choice));
}

/**
 * The assigned version, where it is blocked and a higher release still names its folder: it may hold other bytes by now, which a request to
 * the host tells. Empty otherwise, and where it is what runs.
 */
export function repairedTarget(choice: Choice, running: string): Target[] {
  const { base, channel, assigned, blocked } = choice;
  const target = targetOf(base, assigned);
  if (target.package === running || !isBlocked(target.package, choice)) return [];
  const block = blocked.find((each) => each.package === target.package);
  if (!block?.digest || block.release >= channel.release) return [];
  return [{ ...target, not: block.digest }];
}

/** Where to go from a version that went beyond a limit: what ran well here, before what others run. */
export function rollbackTargets(choice: Choice, left: string): Target[] {
  const targets = [knownGoodTarget(choice), ...chooseTargets(choice)];
  return unique(targets, choice).filter((target) => target.package !== left && !isBlocked(target.package, choice));
}

function unique(targets: (Target | undefined)[], { channel }: Choice): Target[] {
  const byAddress = new Map<string, Target>();
  const maxCrashes = crashLimit(channel.guardrails);
  for (const target of targets)
    if (target && !byAddress.has(target.package)) byAddress.set(target.package, { ...target, maxCrashes });
  return [...byAddress.values()];
}
