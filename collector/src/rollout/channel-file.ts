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
}

/** Bytes of a channel file: the library refuses larger ones. */
export const MAX_CHANNEL_BYTES = 64 * 1024;
const MAX_ARMS = 16;
const MAX_WEIGHT = 1e6;
const ROLES = new Set<unknown>(["stable", "canary", "shadow"]);

/** Throws `HttpError` 400 that names the field. Signatures are for the pages to check: the collector holds no key. */
export function readChannelFile(text: string): ChannelFile {
  const { model, release, arms } = parse(text);
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
  return { model: model as string, release: release as number, arms: read };
}

function parse(text: string): Record<string, unknown> {
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

function refuse(field: string, problem: string): never {
  throw new HttpError(400, `The channel's field "${field}" ${problem}.`);
}
