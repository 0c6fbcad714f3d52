// What is kept of channels: the text that was accepted last, what is known of its versions, and the seed of this browser.
import { randomHex } from "../../../shared/hex.js";
import type { BlockedVersion, KnownGood } from "../../../shared/types/rollout.js";

/** The row of the empty address holds the seed. */
export interface ChannelRow {
  /** Absolute address of the channel, without query string. */
  url: string;
  /** The channel as its host served it: what was signed is checked again at each load. */
  text?: string;
  /** When the host answered last, in epoch milliseconds. */
  checkedAt?: number;
  blocked: BlockedVersion[];
  /** It is never evicted. */
  lastGood?: KnownGood;
  seed?: string;
}

export interface KeptChannel {
  /** Random, and the same for all channels and tabs of this browser. */
  seed: string;
  row: ChannelRow;
}

/** The rows within one transaction. */
export interface ChannelRows {
  get(url: string): Promise<ChannelRow | undefined>;
  put(row: ChannelRow): Promise<unknown>;
}

/** Changes the row of a channel, and makes the seed if there is none. `change` returns the same object to change nothing. */
export async function changeRow(
  rows: ChannelRows,
  url: string,
  change: (row: ChannelRow) => ChannelRow,
): Promise<KeptChannel> {
  let { seed } = (await rows.get("")) ?? {};
  if (typeof seed !== "string") {
    seed = randomHex();
    await rows.put({ url: "", blocked: [], seed });
  }
  const found = await rows.get(url);
  // A damaged row is as if it were absent.
  const before = found?.blocked?.every?.((each) => each?.package) ? found : { url, blocked: [] };
  const row = change(before);
  if (row !== before) await rows.put(row);
  return { seed, row };
}
