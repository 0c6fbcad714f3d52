// Reads and checks `channel.json`, and resolves the packages that it names.
import { InsituError } from "../errors.js";
import {
  type At,
  compact,
  filled,
  finite,
  integer,
  matching,
  object,
  oneOf,
  optional,
  own,
  parseJson,
  refuse,
  show,
  text,
  under,
  unique,
} from "../json-fields.js";
import { pathProblem } from "../package-path.js";
import { isoTime, modelName, parseSignatures } from "../signed-fields.js";
import type { Channel, ChannelArm, ChannelGuardrails } from "../types/rollout.js";

export const MAX_CHANNEL_BYTES = 2 ** 16;
const MAX_ARMS = 16;
const MAX_WEIGHT = 1e6;
/** After it there is room for no other. A number of milliseconds since 1970 is above it, one of seconds fits for 34,000 years. */
export const MAX_RELEASE = 2 ** 40;
const MAX_LIMIT = 1e6;
const MAX_WINDOW = 1_000;
const MIN_WINDOW = 10;

const ROLES = ["stable", "canary", "shadow"] as const;
// It becomes part of a hashed text whose parts end at line ends, of reports and of messages.
const SALT = /^[\w.:+/=-]{1,128}$/;
const VERSION = /^[\w.+-]{1,64}$/;
const ADVICE = `Check the address; publish what "insitu channel" wrote`;

const CHANNEL_FIELDS = ["model", "release", "arms", "salt", "guardrails", "created", "expires", "signatures"];
const ARM_FIELDS = ["package", "weight", "role", "version", "share"];
const GUARDRAIL_FIELDS = ["failures", "maxLatency", "latencyWindow", "crashes"];

/**
 * The channel in `text` as a fresh, checked copy: versions are filled in, and packages have the form `./folder/`. A field that this version
 * does not know is refused: a limit that is misspelt would not limit anything. `url` is its address, for messages. Throws
 * `model_too_large` for a text over 64 KiB, else `model_format` with `data` of `{ url, field }`. Signatures and expiry are not checked here.
 */
export function parseChannel(text: string, url: string): Channel {
  if (text.length > MAX_CHANNEL_BYTES || new TextEncoder().encode(text).length > MAX_CHANNEL_BYTES) {
    const message = `${url} is larger than 64 KiB, the maximum for a channel. ${ADVICE}.`;
    throw new InsituError("model_too_large", message, { url, field: "", max: MAX_CHANNEL_BYTES });
  }
  const root: At = { url, field: "" };
  const given = object(parseJson(text, url, `${ADVICE}.`, "channel"), root);
  const get = (key: string) => own(given, key);
  const at = (key: string) => under(root, key);
  if (get("arms") === undefined) refuse(at("arms"), `is missing: this is not a channel. ${ADVICE}`);
  known(given, CHANNEL_FIELDS, root);
  return compact({
    model: modelName(get("model"), at("model")),
    release: finite(integer(get("release"), at("release"), 0), at("release"), 0, MAX_RELEASE),
    arms: parseArms(get("arms"), at("arms")),
    salt: matching(get("salt"), SALT, "1 to 128 letters, digits or signs of base64", at("salt")),
    guardrails: optional(get("guardrails"), (value) => parseGuardrails(value, at("guardrails"))),
    created: optional(get("created"), (value) => isoTime(value, at("created"))),
    expires: optional(get("expires"), (value) => isoTime(value, at("expires"))),
    signatures: optional(get("signatures"), (value) => parseSignatures(value, at("signatures"))),
  } satisfies Channel);
}

/** The absolute address of an arm's package, always inside the folder of the channel at `url`. Throws `model_format` for another. */
export function packageOfArm(url: string, { package: path }: Pick<ChannelArm, "package">): string {
  const folder = new URL(".", url);
  folder.search = "";
  const { href } = new URL(path, folder);
  // The rules of `parseArm` should make this impossible; it is the promise, so it is checked on what is fetched.
  if (href.startsWith(folder.href) && href.endsWith("/") && href !== folder.href) return href;
  return refuse({ url, field: "package" }, `is ${show(path)}, which leaves the channel's folder`);
}

/** Refuses fields that are not in the list, among them `__proto__`. */
function known(given: Record<string, unknown>, fields: string[], at: At): void {
  const other = Object.keys(given).find((key) => !fields.includes(key));
  if (other !== undefined) refuse(at, `has the field ${show(other)}, which this version of the library does not know`);
}

function parseArms(value: unknown, at: At): ChannelArm[] {
  const items = filled(value, at);
  if (items.length > MAX_ARMS) refuse(at, `names ${items.length} versions, ${MAX_ARMS} is the maximum`);
  const arms = items.map((item, index) => parseArm(item, under(at, index)));
  unique(
    arms.map((arm) => arm.package),
    at,
  );
  // A pin and a report name a version by it.
  unique(
    arms.map((arm) => arm.version as string),
    at,
  );
  const count = (role: ChannelArm["role"]) => arms.filter((arm) => arm.role === role).length;
  if (count("stable") !== 1) refuse(at, `must have exactly one with the role stable, it has ${count("stable")}`);
  if (count("shadow") > 1) refuse(at, `may have one with the role shadow, it has ${count("shadow")}`);
  const total = arms.reduce((sum, { role, weight }) => sum + (role === "shadow" ? 0 : weight), 0);
  if (!(total > 0)) refuse(at, "have no weight: nothing would run");
  return arms;
}

function parseArm(value: unknown, at: At): ChannelArm {
  const given = object(value, at);
  const get = (key: string) => own(given, key);
  known(given, ARM_FIELDS, at);
  const path = parsePackage(get("package"), under(at, "package"));
  const role = oneOf(get("role"), ROLES, under(at, "role"));
  const share = optional(get("share"), (value) => finite(value, under(at, "share"), 0, 1));
  if (share !== undefined && (role !== "shadow" || share === 0))
    refuse(under(at, "share"), `is ${share}; only a shadow has one, over 0`);
  const version = get("version") ?? path.split("/").pop();
  return compact({
    package: `./${path}/`,
    weight: finite(get("weight"), under(at, "weight"), 0, MAX_WEIGHT),
    role,
    version: matching(version, VERSION, "1 to 64 letters, digits, dots, dashes", under(at, "version")),
    share,
  } satisfies ChannelArm);
}

/** The folder's path without the `./` and the slash that may stand around it. */
function parsePackage(value: unknown, at: At): string {
  const given = text(value, at);
  const path = given.replace(/^\.\//, "").replace(/\/$/, "");
  const problem = pathProblem(path);
  if (problem) refuse(at, `is ${show(given)}, which ${problem}`);
  // A channel that names channels could name itself.
  if (/(\.json|@[^/]*)$/.test(path))
    refuse(at, `is ${show(given)}, which is the address of a channel, not of a package`);
  return path;
}

function parseGuardrails(value: unknown, at: At): ChannelGuardrails {
  const given = object(value, at);
  known(given, GUARDRAIL_FIELDS, at);
  const number = (key: string, min: number, max: number) =>
    optional(own(given, key), (value) => finite(value, under(at, key), min, max));
  const count = (key: string, min: number, max: number) =>
    optional(number(key, min, max), (value) => integer(value, under(at, key), min));
  const maxLatency = number("maxLatency", 0, MAX_LIMIT);
  if (maxLatency === 0) refuse(under(at, "maxLatency"), "is 0; it must be milliseconds over 0");
  return compact({
    failures: count("failures", 1, MAX_LIMIT),
    maxLatency,
    latencyWindow: count("latencyWindow", MIN_WINDOW, MAX_WINDOW),
    crashes: count("crashes", 1, MAX_LIMIT),
  } satisfies ChannelGuardrails);
}
