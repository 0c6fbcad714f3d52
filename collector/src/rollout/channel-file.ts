// Reads what the collector needs of a channel file, and refuses one that no page could use; pure.
import { HttpError } from "../errors.js";

export type Role = "stable" | "canary" | "shadow";

export interface ChannelArm {
  version: string;
  role: Role;
  weight: number;
}

export interface ChannelFile {
  model: string;
  release: number;
  arms: ChannelArm[];
  /** From when on pages refuse it, as it is in the file; checked when it is published. */
  expires: unknown;
  /** Whether it carries signatures; whether they are valid is for the pages to check. */
  isSigned: boolean;
}

/** Bytes of a channel file: the library refuses larger ones. */
export const MAX_CHANNEL_BYTES = 64 * 1024;
const MAX_ARMS = 16;
const MAX_WEIGHT = 1e6;
const ROLES = new Set<unknown>(["stable", "canary", "shadow"]);
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** No release is higher, so that one mistaken number does not leave a channel without a next one. Wide enough for dates with minutes. */
const MAX_RELEASE = 2 ** 40;
/** The first release of a channel, so that others can follow. */
const MAX_FIRST_RELEASE = 2 ** 39;
/** Pages refuse a release that is further above the one that they know: a channel with it would reach nobody. */
const MAX_RELEASE_JUMP = 1e9;

/** Throws `HttpError` 400 that names the field. Signatures are for the pages to check: the collector holds no key. */
export function readChannelFile(text: string): ChannelFile {
  const { model, release, arms, expires, signatures } = parseChannelJson(text);
  if (typeof model !== "string" || model === "") refuse("model", "must be the model's name");
  if (!Number.isSafeInteger(release) || (release as number) < 0) refuse("release", "must be an integer, 0 or more");
  if (!Array.isArray(arms) || arms.length === 0 || arms.length > MAX_ARMS)
    return refuse("arms", `must be an array of 1 to ${MAX_ARMS} versions`);
  const read = arms.map(readArm);
  const count = (role: Role) => read.filter((arm) => arm.role === role).length;
  if (count("stable") !== 1) refuse("arms", `must have exactly one with the role stable, not ${count("stable")}`);
  if (count("shadow") > 1) refuse("arms", `may have one with the role shadow, not ${count("shadow")}`);
  if (new Set(read.map(({ version }) => version)).size < read.length) refuse("arms", "have one version twice");
  if (!read.some(({ role, weight }) => role !== "shadow" && weight > 0))
    refuse("arms", "have no weight: nothing would run");
  const isSigned = Array.isArray(signatures) && signatures.length > 0;
  return { model: model as string, release: release as number, arms: read, expires, isSigned };
}

/**
 * Throws `HttpError`: 400 for a release that no channel may have, 409 for one that does not follow the published one, or a channel that has
 * expired. Apart from `readChannelFile`, since channels that are stored already must stay readable.
 */
export function checkPublishable(file: ChannelFile, published: number | undefined, now: number): void {
  const { release } = file;
  const expires = timeOf(file.expires, "expires");
  if (release > MAX_RELEASE) refuse("release", `is ${release}; the highest is ${MAX_RELEASE}`);
  if (published === undefined && release > MAX_FIRST_RELEASE)
    refuse("release", `is ${release}; the first one of a channel is at most ${MAX_FIRST_RELEASE}`);
  if (expires !== undefined && expires <= now)
    throw new HttpError(
      409,
      `The channel expired at ${new Date(expires).toISOString()}, and pages would refuse it: publish one with a later "expires", or without.`,
    );
  if (published === undefined) return;
  if (release <= published)
    throw new HttpError(409, `The release is ${release}, and ${published} is published: count it up.`);
  if (release - published > MAX_RELEASE_JUMP)
    throw new HttpError(
      409,
      `The release is ${release}, and ${published} is published: pages refuse one that is more than ${MAX_RELEASE_JUMP} higher. Count it up.`,
    );
}

export function timeOf(value: unknown, field: string): number | undefined {
  if (value === undefined) return undefined;
  const [day] = typeof value === "string" ? (ISO_TIME.exec(value) ?? []) : [];
  const time = day !== undefined && isDate(day.slice(0, 10)) ? Date.parse(day) : Number.NaN;
  return Number.isNaN(time) ? refuse(field, "must be an ISO 8601 time such as 2026-01-31T12:00:00Z") : time;
}

/** `Date.parse` makes the 3rd of March of the 31st of February. */
function isDate(day: string): boolean {
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

export function parseChannelJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, `The channel is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new HttpError(400, "The channel must be a JSON object.");
  return value as Record<string, unknown>;
}

function readArm(value: unknown, i: number): ChannelArm {
  const at = `arms[${i}]`;
  if (typeof value !== "object" || value === null) return refuse(at, "must be an object");
  const { package: path, version, role, weight } = value as Record<string, unknown>;
  if (typeof path !== "string" || path === "") return refuse(`${at}.package`, "must be the folder of a package");
  if (!ROLES.has(role)) refuse(`${at}.role`, "must be stable, canary or shadow");
  if (typeof weight !== "number" || !(weight >= 0 && weight <= MAX_WEIGHT))
    return refuse(`${at}.weight`, `must be a number from 0 to ${MAX_WEIGHT}`);
  const name = version ?? path.replace(/\/$/, "").split("/").pop();
  if (typeof name !== "string" || !/^[\w.+-]{1,64}$/.test(name))
    return refuse(`${at}.version`, "must be 1 to 64 letters, digits, dots or dashes");
  return { version: name, role: role as Role, weight };
}

export function refuse(field: string, problem: string): never {
  throw new HttpError(400, `The channel's field "${field}" ${problem}.`);
}
