// A channel that a collector serves: read and replaced over HTTP, under the condition that nobody else changed it.
import { InsituError } from "../../shared/errors.js";
import { isObject } from "../../shared/json-fields.js";
import { MAX_CHANNEL_BYTES, parseChannel } from "../../shared/rollout/parse-channel.js";
import type { Channel, ChannelArm } from "../../shared/types/rollout.js";
import type { Change, ChangeRecord } from "../store/records.js";
import { bearer, type HttpAnswer, request, statusError } from "./http.js";
import type { PackageSource } from "./package-source.js";
import { summaryOf } from "./plan.js";
import type { ChannelState, ChannelTarget, StableArm } from "./target.js";

/** `https://collector.example/v1/channels/objects`. */
export const isCollectorAddress = (text: string): boolean => /^https?:\/\//i.test(text);

export function collectorTarget(address: string, token: string | undefined, packages: PackageSource): ChannelTarget {
  const url = new URL(address);
  if (!/\/v1\/channels\/[^/]+$/.test(url.pathname)) {
    const message = `${address} is not the address of a channel at a collector. It ends in /v1/channels/<model>.`;
    throw new InsituError("input_invalid", message, { url: address });
  }
  // Pages load it by an address that ends in .json; it is published without.
  url.pathname = url.pathname.replace(/\.json$/, "");
  const where = url.href;
  return {
    where,
    packages,
    read: () => readState(where),
    commit: (before, record) => put(where, token, before, record),
    history: () => readHistory(where, token),
    after: async () => [],
    stableArms: async () => stableArms(await readEntries(where, token)),
  };
}

async function readState(where: string): Promise<ChannelState | undefined> {
  const answer = await request(where, { maxBytes: MAX_CHANNEL_BYTES });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw statusError(where, answer);
  const channel = parseChannel(answer.text, where);
  const etag = answer.headers.get("etag") ?? undefined;
  if (etag === undefined) {
    const message = `${where} sends no ETag, so that two publishers could overwrite each other. Check that no proxy removes it.`;
    throw new InsituError("http_4xx", message, { url: where });
  }
  return { channel, text: answer.text, highest: channel.release, etag };
}

async function put(
  where: string,
  token: string | undefined,
  before: ChannelState | undefined,
  { text, by, why, action }: ChangeRecord,
): Promise<boolean> {
  const condition: Record<string, string> =
    before?.etag === undefined ? { "if-none-match": "*" } : { "if-match": strong(before.etag) };
  const headers = {
    ...bearer(token),
    ...condition,
    // `publish` has asked for --unsigned; the collector asks again, since others publish there without this command.
    ...(isSigned(before?.channel) && !isSigned(parseChannel(text, where)) && { "x-insitu-unsigned": "yes" }),
    "content-type": "application/json",
    "x-insitu-by": headerText(by),
    // The collector keeps no action: it is the first word of the reason.
    "x-insitu-why": headerText(why ? `${action}: ${why}` : action),
  };
  const answer: HttpAnswer = await request(where, { method: "PUT", headers, body: text });
  if (answer.status === 412) return false;
  // The release is not higher any more; or it is refused for another reason, which trying again does not change.
  if (answer.status === 409 && (await readState(where))?.etag !== before?.etag) return false;
  if (answer.status < 200 || answer.status > 299) throw statusError(where, answer);
  return true;
}

const isSigned = (channel: Channel | undefined): boolean => (channel?.signatures ?? []).length > 0;

/** A proxy that compresses makes an ETag weak, which a condition must not be. */
const strong = (etag: string): string => etag.replace(/^W\//, "");

/** Headers hold ASCII: the rest is percent-encoded as UTF-8, and the percent sign with it. */
const headerText = (text: string): string => text.replace(/[^\x20-\x24\x26-\x7e]+/gu, encodeURIComponent);

async function readHistory(where: string, token: string | undefined): Promise<Change[]> {
  const entries = await readEntries(where, token);
  return entries.flatMap((entry) => changeOf(entry) ?? []).sort((a, b) => a.release - b.release);
}

/** As the collector sends them, newest first. */
async function readEntries(where: string, token: string | undefined): Promise<Record<string, unknown>[]> {
  const answer = await request(`${where}/history`, { headers: bearer(token) });
  if (answer.status === 404) return [];
  if (answer.status !== 200) throw statusError(where, answer);
  try {
    return (JSON.parse(answer.text) as unknown[]).filter(isObject);
  } catch (cause) {
    const message = `${where}/history did not send a list as JSON. Check that the address is a collector's.`;
    throw new InsituError("network", message, { url: where }, { cause });
  }
}

const ACTIONS = ["start", "raise", "hold", "promote", "rollback"];

function changeOf({ release, at, by, why: text = "", arms }: Record<string, unknown>): Change | undefined {
  const time = new Date(at as string | number);
  if (typeof release !== "number" || Number.isNaN(time.getTime())) return undefined;
  const [, action = "", why = ""] = /^([a-z]+)(?:: (.*))?$/s.exec(String(text)) ?? [];
  const isOurs = ACTIONS.includes(action);
  return {
    release,
    action: isOurs ? action : "change",
    at: time.toISOString(),
    by: String(by ?? ""),
    why: isOurs ? why : String(text),
    summary: armsOf(arms).length > 0 ? summaryOf({ arms: armsOf(arms) }) : "",
  };
}

function armsOf(value: unknown): ChannelArm[] {
  const isArm = (arm: unknown) =>
    isObject(arm) && [arm.version, arm.role].every((word) => typeof word === "string") && Number(arm.weight) >= 0;
  return Array.isArray(value) && value.every(isArm) ? (value as ChannelArm[]) : [];
}

const stableArms = (entries: Record<string, unknown>[]): StableArm[] =>
  entries.flatMap(({ arms }) =>
    armsOf(arms).flatMap(({ role, version }) => (role === "stable" && version !== undefined ? [{ version }] : [])),
  );
