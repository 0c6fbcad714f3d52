// Decides which version of a channel a browser runs, by its seed alone: the same everywhere and at any time.
import type { Channel, ChannelArm } from "../types/rollout.js";

/** The SHA-256 of bytes as 64 hexadecimal digits. */
export type Sha256 = (bytes: Uint8Array<ArrayBuffer>) => Promise<string>;

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weighted as in Schindelhauer and Schomaker 2005): each arm gets the score
 * weight / -ln(u), with u from a hash of seed and package, and the highest wins. So an arm gets its share of the seeds; where a weight
 * grows, no seed leaves that arm; where one shrinks, only seeds of that arm move. Shadows take no part. The order of the arms does not count.
 * @param seed - Of the browser; any text without a line end.
 */
export async function assignArm(channel: Channel, seed: string, sha256: Sha256): Promise<ChannelArm> {
  const arms = channel.arms.filter(({ role, weight }) => role !== "shadow" && weight > 0);
  const scores = await Promise.all(
    arms.map(async ({ package: path, weight }) => {
      const text = [seed, channel.model, channel.salt, path].join("\n");
      return weight / -Math.log(toFraction(await sha256(new TextEncoder().encode(text))));
    }),
  );
  const best = scores.indexOf(Math.max(...scores));
  const arm = arms[best];
  if (!arm) throw new RangeError("No arm of the channel has a weight; parseChannel refuses that.");
  return arm;
}

/** Hexadecimal digits: 52 bits, the most to which a double can add a half without rounding. */
const DIGITS = 13;

/** The first 52 bits as a number over 0 and under 1, in the middle of its step: neither end has a logarithm that is a score. */
function toFraction(hex: string): number {
  return (Number.parseInt(hex.slice(0, DIGITS), 16) + 0.5) / 16 ** DIGITS;
}
