// Publishes the next release of a channel: plans it from what is in force, signs it, and commits it unless somebody was faster.
import { InsituError } from "../../shared/errors.js";
import { MAX_RELEASE, parseChannel } from "../../shared/rollout/parse-channel.js";
import type { Channel } from "../../shared/types/rollout.js";
import { checkSignatures } from "../../worker/package/trust.js";
import { type KeyFile, readKey } from "../keys.js";
import { signedText } from "../sign.js";
import { whoAndWhy } from "../who.js";
import { type Plan, stableOf, summaryOf, versionOf } from "./plan.js";
import type { ChannelAction, PublishOptions } from "./release-options.js";
import type { ChannelState, ChannelTarget } from "./target.js";

export interface Published {
  channel: Channel;
  action: ChannelAction;
  summary: string;
  where: string;
  /** What followed, in lines. */
  followed: string[];
}

/** More is a slip, such as a time in place of a number; there is no way back from it. */
const MAX_STEP = 1_000_000;
// With 20 publishers at once, the unluckiest loses 19 times.
const MAX_TRIES = 60;
const RETRY_PAUSE = 20;

/**
 * `plan` returns the next arms out of the state that is in force, or throws what is wrong. When another publisher is faster, it is called
 * again with the new state: a command that does not fit any more is refused, none is lost. Throws `input_invalid`, `model_rollback`
 * for a release that is not higher, and what `plan` throws.
 */
export async function publish(
  target: ChannelTarget,
  action: ChannelAction,
  plan: (before: ChannelState | undefined) => Promise<Plan>,
  options: PublishOptions,
): Promise<Published> {
  const keys: KeyFile[] = [];
  for (const path of options.sign ?? []) keys.push(await readKey(path));
  const { by, why } = await whoAndWhy(options);
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    const before = await target.read();
    checkRelease(before, options, target.where);
    await checkSigning(before, options, keys, target.where);
    const next = await plan(before);
    const release = nextRelease(before, options, target.where);
    const text = await channelText(next, release, expiryOf(before, options, target.where), keys, target.where);
    const channel = parseChannel(text, target.where);
    const summary = summaryOf(channel);
    const at = channel.created as string;
    if (await target.commit(before, { release, action, at, by, why, summary, text })) {
      const followed = [...otherSigners(before?.channel, channel), ...(await follow(target, channel, action, options))];
      return { channel, action, summary, where: target.where, followed };
    }
    await new Promise((done) => setTimeout(done, Math.random() * RETRY_PAUSE * Math.min(attempt, 10)));
  }
  const message = `${target.where} was changed by others each time. Look at it with "insitu channel status", and try again.`;
  throw new InsituError("input_invalid", message, { where: target.where });
}

const signersOf = (channel: Channel | undefined): string[] => (channel?.signatures ?? []).map(({ keyId }) => keyId);

/** A key may be changed on purpose, or be the wrong file. */
function otherSigners(before: Channel | undefined, now: Channel): string[] {
  const [old, fresh] = [signersOf(before), signersOf(now)];
  if (old.length === 0 || fresh.length === 0 || old.some((id) => fresh.includes(id))) return [];
  return [
    `Note: it is signed by ${fresh.join(", ")}, the release before by ${old.join(", ")}: pages that trust only that key refuse it, and stay on what they run.`,
  ];
}

async function follow(target: ChannelTarget, channel: Channel, action: ChannelAction, options: PublishOptions) {
  try {
    return await target.after(channel, action, options);
  } catch (cause) {
    const message = `Release ${channel.release} of ${target.where} is published, but what follows from it failed: ${(cause as Error).message} Move the alias of the registry by "insitu registry alias ${channel.model}@champion ${versionOf(stableOf(channel))}".`;
    throw new InsituError("input_invalid", message, { where: target.where, release: channel.release }, { cause });
  }
}

function checkRelease(before: ChannelState | undefined, { ifRelease }: PublishOptions, where: string): void {
  if (ifRelease === undefined || before?.channel.release === ifRelease) return;
  const found = before ? `is release ${before.channel.release}` : "does not exist";
  const message = `${where} ${found}, and --if-release is ${ifRelease}. Look at what changed with "insitu channel status".`;
  throw new InsituError("input_invalid", message, { where, ifRelease });
}

/**
 * Throws `input_invalid` where the next release would lose the signature of the one before, and where that one is no longer what one of
 * the keys has signed: its content would be signed as if it came from here.
 */
export async function checkSigning(
  before: ChannelState | undefined,
  { unsigned, edited }: PublishOptions,
  keys: KeyFile[],
  where: string,
): Promise<void> {
  if (unsigned && keys.length > 0)
    throw new InsituError("input_invalid", "--sign and --unsigned contradict each other. Pass one of them.");
  const signers = signersOf(before?.channel);
  if (!before || signers.length === 0) return;
  if (keys.length === 0 && !unsigned) {
    const message = `${where} is signed by ${signers.join(", ")}: pages that ask for a signature would refuse the next release without. Pass --sign, or --unsigned.`;
    throw new InsituError("input_invalid", message, { where, signers, final: true });
  }
  const own = keys.filter(({ id }) => signers.includes(id));
  if (own.length === 0 || edited) return;
  try {
    await checkSignatures(before.text, before.channel, { keys: own }, where);
  } catch (cause) {
    const message = `${where} was changed since ${own.map(({ id }) => id).join(", ")} signed it, and the next release would sign that as well. Compare it with its records in history/ beside it; restore it from there, or pass --edited if the change is yours.`;
    throw new InsituError("input_invalid", message, { where, signers, final: true }, { cause });
  }
}

function nextRelease(before: ChannelState | undefined, options: PublishOptions, where: string): number {
  const { release: given, largeStep } = options;
  const highest = before?.highest ?? 0;
  const release = given ?? highest + 1;
  if (release > MAX_RELEASE && given === undefined) {
    const message = `${where} has had release ${highest}, by itself or by a record in history/ beside it, and browsers accept none above ${MAX_RELEASE} (2^40). Remove the file or record that nobody published.`;
    throw new InsituError("input_invalid", message, { where, release, max: MAX_RELEASE });
  }
  if (release > MAX_RELEASE) {
    const message = `${where}: the highest release is ${MAX_RELEASE} (2^40), since browsers accept no lower one afterwards: --release is ${release}. Leave --release out.`;
    throw new InsituError("input_invalid", message, { where, release, max: MAX_RELEASE });
  }
  if (release - highest > MAX_STEP && !largeStep) {
    const message = `${where} has had release ${highest}: --release ${release} is more than ${MAX_STEP} higher, and browsers that accept it never go back. Leave --release out, or pass --large-step if you mean it.`;
    throw new InsituError("input_invalid", message, { where, release, accepted: highest });
  }
  if (release > highest) return release;
  const message = `${where} has had release ${highest}, and browsers refuse what is not higher: --release is ${given}. Leave --release out.`;
  throw new InsituError("model_rollback", message, { where, release: given, accepted: highest });
}

function expiryOf(before: ChannelState | undefined, { expires }: PublishOptions, where: string): string | undefined {
  const next = expires === "never" ? undefined : (expires ?? before?.channel.expires);
  if (next === undefined || Date.parse(next) > Date.now()) return next;
  const message = `${where} would expire on ${next}, which has passed. Pass --expires with a later time, or --expires never.`;
  throw new InsituError("model_expired", message, { where, expires: next });
}

async function channelText(
  { model, arms, salt, guardrails }: Plan,
  release: number,
  expires: string | undefined,
  keys: KeyFile[],
  where: string,
): Promise<string> {
  const channel = {
    model,
    release,
    created: new Date().toISOString(),
    ...(expires !== undefined && { expires }),
    arms,
    salt,
    ...(guardrails && { guardrails }),
  };
  let text = `${JSON.stringify(channel, null, 2)}\n`;
  for (const key of keys) text = await signedText(JSON.parse(text), key, where, parseChannel);
  return text;
}
