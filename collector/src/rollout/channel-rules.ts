// What pages and the command line refuse in a channel file, so that nothing is published that no page would take; pure.
import { parseChannelJson, refuse, timeOf } from "./channel-file.js";

const CHANNEL_FIELDS = ["model", "release", "arms", "salt", "guardrails", "created", "expires", "signatures"];
const ARM_FIELDS = ["package", "weight", "role", "version", "share"];
const GUARDRAIL_FIELDS = ["failures", "maxLatency", "latencyWindow", "crashes"];
const SALT = /^[\w.:+/=-]{1,128}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MAX_PATH = 512;
const MAX_LIMIT = 1e6;

/**
 * Throws `HttpError` 400 for what `parseChannel` of the library refuses and `readChannelFile` does not look at. The rules are written down
 * again, since the collector shares no code with the library; a test compares the two. Apart from `readChannelFile`, since channels that
 * are stored already must stay readable.
 */
export function checkChannelRules(text: string): void {
  const channel = parseChannelJson(text);
  checkFields(channel, CHANNEL_FIELDS, "");
  const { arms, salt, guardrails, created, expires, signatures } = channel;
  checkArms(arms as Record<string, unknown>[]);
  if (typeof salt !== "string" || !SALT.test(salt))
    refuse("salt", "must be 1 to 128 letters, digits or signs of base64");
  if (guardrails !== undefined) checkGuardrails(guardrails);
  timeOf(created, "created");
  timeOf(expires, "expires");
  if (signatures !== undefined) checkSignatures(signatures);
}

/** Refuses what this version does not know: a limit that is misspelt would not limit anything. */
function checkFields(given: Record<string, unknown>, known: string[], at: string): void {
  const other = Object.keys(given).find((key) => !known.includes(key));
  if (other !== undefined)
    refuse(at ? `${at}.${other.slice(0, 60)}` : other.slice(0, 60), "is not known, and pages refuse the channel");
}

function checkArms(arms: Record<string, unknown>[]): void {
  const paths = new Set<string>();
  for (const [i, arm] of arms.entries()) {
    const at = `arms[${i}]`;
    checkFields(arm, ARM_FIELDS, at);
    const path = (arm.package as string).replace(/^\.\//, "").replace(/\/$/, "");
    const problem = pathProblem(path);
    if (problem) refuse(`${at}.package`, `${problem}: pages load packages only from below the channel's folder`);
    if (paths.has(path)) refuse("arms", "have one package twice");
    paths.add(path);
    const { share, role } = arm;
    if (share === undefined) continue;
    if (!isNumber(share, 0, 1) || share === 0) refuse(`${at}.share`, "must be a number over 0, up to 1");
    if (role !== "shadow") refuse(`${at}.share`, "is for an arm with the role shadow only");
  }
}

/** Why pages refuse the path of a package, or undefined. */
function pathProblem(path: string): string | undefined {
  if (path.length > MAX_PATH) return `is longer than ${MAX_PATH} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for.
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return "holds a control character";
  if (/\p{Cs}/u.test(path)) return "holds half a character";
  if (/[\\:%?#]/.test(path)) return "holds one of \\ : % ? #";
  for (const segment of path.split("/")) {
    if (segment === "") return "is empty, starts or ends with a slash, or has two in a row";
    if (segment === "." || segment === ".." || segment !== segment.trim())
      return "holds a folder with a name that leads elsewhere";
  }
  return /(\.json|@[^/]*)$/.test(path) ? "is the address of a channel, not of a package" : undefined;
}

function checkGuardrails(value: unknown): void {
  const given = isObject(value) ? value : refuse("guardrails", "must be an object");
  checkFields(given, GUARDRAIL_FIELDS, "guardrails");
  const check = (key: string, isAllowed: (value: unknown) => boolean, allowed: string) => {
    if (given[key] !== undefined && !isAllowed(given[key])) refuse(`guardrails.${key}`, `must be ${allowed}`);
  };
  const isCount = (min: number, max: number) => (value: unknown) =>
    Number.isInteger(value) && isNumber(value, min, max);
  check("failures", isCount(1, MAX_LIMIT), `an integer from 1 to ${MAX_LIMIT}`);
  check("crashes", isCount(1, MAX_LIMIT), `an integer from 1 to ${MAX_LIMIT}`);
  check("latencyWindow", isCount(10, 1_000), "an integer from 10 to 1000");
  check("maxLatency", (ms) => isNumber(ms, 0, MAX_LIMIT) && ms !== 0, `milliseconds over 0, up to ${MAX_LIMIT}`);
}

function checkSignatures(value: unknown): void {
  const all: unknown[] = Array.isArray(value) ? value : refuse("signatures", "must be an array");
  for (const [i, one] of all.entries()) {
    const { keyId, algorithm, signature } = isObject(one) ? one : refuse(`signatures[${i}]`, "must be an object");
    if (typeof keyId !== "string") refuse(`signatures[${i}].keyId`, "must be a string");
    if (typeof algorithm !== "string") refuse(`signatures[${i}].algorithm`, "must be a string");
    if (typeof signature !== "string" || !BASE64.test(signature))
      refuse(`signatures[${i}].signature`, "must be base64");
  }
}

const isNumber = (value: unknown, min: number, max: number): value is number =>
  typeof value === "number" && value >= min && value <= max;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
