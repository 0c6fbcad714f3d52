// The next release of a channel for each command, and what a command refuses; pure.
import { InsituError } from "../../shared/errors.js";
import type { Channel, ChannelArm, ChannelGuardrails } from "../../shared/types/rollout.js";

/** A package that was verified, as an arm names it. */
export interface ArmPackage {
  /** `./1.1.0/`, relative to the channel file. */
  package: string;
  version: string;
  /** Name of the model. */
  model: string;
  /** Ids of the keys in its signatures, which are not verified here. */
  signedBy: string[];
  /** Whether it has a self-test, which browsers run before they use it. */
  isTested: boolean;
}

export interface StartOptions {
  stable?: ArmPackage;
  canary?: ArmPackage;
  /** Percent of the browsers for the canary. */
  weight?: number;
  shadow?: ArmPackage;
  /** Share of the inputs for the shadow, over 0 to 1. */
  share?: number;
  /** Allows a second canary. */
  several?: boolean;
  guardrails?: ChannelGuardrails;
  /** Of a channel that does not exist yet. */
  salt: string;
  /** Chooses other browsers for a channel that exists, which moves nobody while all run one version. */
  newSalt?: string;
}

/** A channel without what publishing adds: release, times, signatures. */
export type Plan = Pick<Channel, "model" | "arms" | "salt" | "guardrails">;

const DEFAULT_WEIGHT = 5;
const WHOLE = 100;

export function planStart(before: Channel | undefined, given: StartOptions, where: string): Plan {
  const { canary, shadow, weight = DEFAULT_WEIGHT } = given;
  const stable = given.stable ? arm(given.stable, "stable") : before && stableOf(before);
  if (!stable) refuse(`${where} does not exist yet. Pass --stable with the package that all browsers begin with.`);
  if (before && !given.stable && !canary && !shadow && !given.guardrails)
    refuse(`${where} exists, and nothing is to be started. Pass --stable, --canary or --shadow.`);
  const model = before?.model ?? (given.stable as ArmPackage).model;
  for (const one of [given.stable, canary, shadow])
    if (one && one.model !== model)
      refuse(`${one.package} is the model ${one.model}, the channel is for ${model}. One channel holds one model.`);
  const old = before ? canariesOf(before) : [];
  if (before && given.stable && stableOf(before).package !== stable.package && old.length > 0)
    refuse(`${names(old)} is a canary against ${versionOf(stableOf(before))}. Run promote or rollback first.`);
  const salt = given.newSalt ?? before?.salt ?? given.salt;
  if (before && salt !== before.salt && old.length > 0)
    refuse(
      `Another --salt would move browsers from one arm to the other while ${names(old)} is a canary. Leave it out.`,
    );
  const kept = old.filter((one) => one.package !== canary?.package);
  if (canary && kept.length > 0 && !given.several)
    refuse(`${names(kept)} is a canary already. Run promote or rollback first, or pass --several to run both.`);
  const canaries = [...kept, ...(canary ? [{ ...arm(canary, "canary"), weight }] : [])];
  const share = given.share === undefined ? {} : { share: given.share };
  const shadows = shadow ? [{ ...arm(shadow, "shadow"), ...share }] : before ? shadowsOf(before) : [];
  const arms = [stable, ...canaries, ...shadows];
  const twice = arms.find((one, index) => arms.findIndex((other) => other.package === one.package) < index);
  if (twice) refuse(`${versionOf(twice)} would be both ${rolesOf(arms, twice)}. Name another version for one of them.`);
  const guardrails = given.guardrails ?? before?.guardrails;
  return { model, arms: balanced(arms), salt, ...(guardrails && { guardrails }) };
}

/** Gives a canary more of the browsers. Nobody leaves an arm that grows: shares are compared, the salt stays. */
export function planRaise(before: Channel, to: number, version: string | undefined): Plan {
  const canary = oneCanary(before, version, "raise");
  const now = percentOf(before, canary);
  if (to <= now)
    refuse(
      `${versionOf(canary)} has ${shown(now)} % already, --to is ${shown(to)}. Pass more, or run hold or rollback.`,
    );
  return withArms(
    before,
    before.arms.map((one) => (one === canary ? { ...one, weight: to } : percentArm(before, one))),
  );
}

export const planHold = (before: Channel): Plan => {
  if (canariesOf(before).length === 0) refuse(`The channel of ${before.model} has no canary to hold. Run start first.`);
  return withArms(before, before.arms);
};

/** The canary becomes stable, for all browsers; other canaries end with it. */
export function planPromote(before: Channel, version: string | undefined): Plan {
  const { weight: _, ...canary } = oneCanary(before, version, "promote");
  return withArms(before, [{ ...canary, weight: WHOLE, role: "stable" }, ...shadowsOf(before)]);
}

/** Ends the canaries, or one of them. */
export function planRollback(before: Channel, version: string | undefined): Plan {
  const ended = version === undefined ? canariesOf(before) : [oneCanary(before, version, "roll back")];
  const arms = before.arms.filter((one) => !ended.includes(one)).map((one) => percentArm(before, one));
  return withArms(before, balanced(arms));
}

/** Back to an earlier stable version, for all browsers. */
export function planReturn(before: Channel, to: ArmPackage): Plan {
  const stable = stableOf(before);
  if (to.model !== before.model)
    refuse(`${to.package} is the model ${to.model}, the channel is for ${before.model}. Name another version.`);
  if (to.package === stable.package && canariesOf(before).length === 0)
    refuse(`${versionOf(stable)} is stable already, and there is no canary: nothing to roll back.`);
  const shadows = shadowsOf(before).filter((one) => one.package !== to.package);
  return withArms(before, [arm(to, "stable"), ...shadows]);
}

// ---- arms --------------------------------------------------------------------------------------------------------

const arm = ({ package: path, version }: ArmPackage, role: ChannelArm["role"]): ChannelArm => ({
  package: path,
  weight: role === "stable" ? WHOLE : 0,
  role,
  version,
});

export const stableOf = ({ arms }: Channel): ChannelArm => arms.find(({ role }) => role === "stable") as ChannelArm;

export const canariesOf = ({ arms }: Channel): ChannelArm[] => arms.filter(({ role }) => role === "canary");

const shadowsOf = ({ arms }: Channel): ChannelArm[] => arms.filter(({ role }) => role === "shadow");

/** As pages report it: the last part of the package's path where the channel names no version. */
export const versionOf = ({ version, package: path }: ChannelArm): string =>
  version ?? path.split("/").filter(Boolean).at(-1) ?? path;

/** Percent of the browsers. */
export function percentOf({ arms }: Pick<Channel, "arms">, { weight, role }: ChannelArm): number {
  if (role === "shadow") return 0;
  const total = arms.reduce((sum, one) => sum + (one.role === "shadow" ? 0 : one.weight), 0);
  return (WHOLE * weight) / total;
}

const percentArm = (channel: Channel, one: ChannelArm): ChannelArm =>
  one.role === "shadow" ? one : { ...one, weight: percentOf(channel, one) };

// Below it a share is nobody; it hides the rounding of decimal fractions.
const PRECISION = 1e6;
const round = (value: number): number => Math.round(value * PRECISION) / PRECISION;

/** Weights in percent: the stable arm has what the canaries leave. */
function balanced(arms: ChannelArm[]): ChannelArm[] {
  const taken = arms.reduce((sum, { role, weight }) => sum + (role === "canary" ? weight : 0), 0);
  if (round(taken) > WHOLE) refuse(`The canaries would have ${shown(taken)} % in all. Pass smaller shares.`);
  return arms.map((one) => (one.role === "stable" ? { ...one, weight: round(WHOLE - taken) } : rounded(one)));
}

const rounded = (one: ChannelArm): ChannelArm => ({ ...one, weight: round(one.weight) });

function withArms({ model, salt, guardrails }: Channel, arms: ChannelArm[]): Plan {
  const weights = arms.some(({ role }) => role === "canary") ? balanced(arms) : arms;
  return { model, arms: weights, salt, ...(guardrails && { guardrails }) };
}

function oneCanary(channel: Channel, version: string | undefined, what: string): ChannelArm {
  const canaries = canariesOf(channel);
  if (canaries.length === 0)
    refuse(`The channel of ${channel.model} has no canary to ${what}. Begin one with "insitu channel start".`);
  const found = version === undefined ? canaries : canaries.filter((one) => versionOf(one) === version);
  if (found.length === 1) return found[0] as ChannelArm;
  return refuse(
    version === undefined
      ? `There are several canaries: ${names(canaries)}. Pass --arm with the version to ${what}.`
      : `${version} is not a canary of this channel; ${names(canaries)} is. Check --arm.`,
  );
}

const names = (arms: ChannelArm[]): string => arms.map(versionOf).join(", ");

const rolesOf = (arms: ChannelArm[], { package: path }: ChannelArm): string =>
  arms
    .filter((one) => one.package === path)
    .map(({ role }) => role)
    .join(" and ");

export const shown = (value: number): string => String(Math.round(value * 100) / 100);

/** What a release says, in one line. */
export function summaryOf(channel: Pick<Channel, "arms">): string {
  return channel.arms
    .map((one) =>
      one.role === "shadow"
        ? `shadow ${versionOf(one)}`
        : `${one.role} ${versionOf(one)} ${shown(percentOf(channel, one))} %`,
    )
    .join(", ");
}

function refuse(message: string): never {
  throw new InsituError("input_invalid", message);
}
