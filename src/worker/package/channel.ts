// Reads a channel: from its host or from the store, with the checks that packages have too; and keeps what the page notes of it.
import { isInsituError, toWire } from "../../shared/errors.js";
import { type At, integer, object, optional, own, parseJson, under } from "../../shared/json-fields.js";
import type { ChannelState, RolloutNote } from "../../shared/protocol.js";
import { isoTime, modelName, parseSignatures } from "../../shared/signed-fields.js";
import type { TrustOptions } from "../../shared/types/model.js";
import { downloadText } from "./download/download-text.js";
import type { Platform } from "./platform.js";
import type { ChannelRow } from "./store/channel-rows.js";
import type { Store } from "./store/store.js";
import { checkExpiry, checkRelease, checkSignatures } from "./trust.js";

export interface ChannelContext {
  store: Store;
  ports: Platform;
  trust?: TrustOptions;
  signal: AbortSignal;
}

const MAX_BYTES = 2 ** 16;
const ADVICE = "Check the address of the channel.";
// More versions than a browser meets; the oldest go.
const MAX_BLOCKED = 32;

/**
 * The channel at `url` as text whose signature, expiry and release were checked; the page checks the rest before it notes that it accepted
 * it. Where the host does not help, the text that was accepted last, with the problem. Rejects where there is neither.
 * @param refresh - False: without a request, where there is an accepted text that has not expired.
 */
export async function readChannel(url: string, refresh: boolean, context: ChannelContext): Promise<ChannelState> {
  const { store, ports, signal } = context;
  const { seed, row } = await store.changeChannel(url, (row) => row);
  const { text: kept = "", blocked, lastGood, checkedAt } = row;
  const state: ChannelState = { seed, blocked, lastGood, checkedAt, ...(await checkAgain(kept, url, context)) };
  if (!refresh && state.text && !state.isExpired) return state;
  try {
    const text = await downloadText(url, MAX_BYTES, signal, ports, "no-cache");
    const head = await accept(text, url, context);
    checkRelease(head, await store.floor(url), url);
    const now = ports.now();
    await store.changeChannel(url, (row) => ({ ...row, checkedAt: now }));
    return { ...state, checkedAt: now, ...(text !== kept && { offered: text }) };
  } catch (error) {
    if (signal.aborted || !state.text) throw error;
    return { ...state, problem: toWire(error) };
  }
}

/** What is stored and may be used: signed by keys that are not trusted any more it may not. */
async function checkAgain(
  text: string,
  url: string,
  context: ChannelContext,
): Promise<Pick<ChannelState, "text" | "isExpired">> {
  try {
    await accept(text, url, context);
    return { text };
  } catch (error) {
    return isInsituError(error) && error.code === "model_expired" ? { text, isExpired: true } : {};
  }
}

async function accept(text: string, url: string, { trust, ports }: ChannelContext) {
  const at: At = { url, field: "" };
  const given = object(parseJson(text, url, ADVICE, "channel"), at);
  const read = <T>(key: string, as: (value: unknown, at: At) => T) => as(own(given, key), under(at, key));
  const maybe = <T>(key: string, as: (value: unknown, at: At) => T) =>
    read(key, (value, at) => optional(value, (value) => as(value, at)));
  const head = {
    name: read("model", modelName),
    release: read("release", (value, at) => integer(value, at, 0)),
    expires: maybe("expires", isoTime),
    signatures: maybe("signatures", parseSignatures),
  };
  if (trust) await checkSignatures(text, head, trust, url);
  checkExpiry(head, ports.now(), url);
  return head;
}

export async function noteRollout(url: string, note: RolloutNote, store: Store): Promise<void> {
  const accepted = note.kind === "accepted" ? { name: note.name, release: note.release } : undefined;
  await store.changeChannel(url, (row) => changed(row, note), accepted);
}

function changed(row: ChannelRow, note: RolloutNote): ChannelRow {
  if (note.kind === "accepted") return { ...row, text: note.text };
  if (note.kind === "good") return { ...row, lastGood: note.version };
  const others = row.blocked.filter((version) => version.package !== note.version.package);
  const blocked = note.kind === "blocked" ? [...others, note.version].slice(-MAX_BLOCKED) : others;
  return { ...row, blocked };
}
