// Where things lie in a registry, and which names may stand there: on every file system and in every address.
import { InsituError } from "../../shared/errors.js";

export const INDEX = "index.json";
export const PAGE = "index.html";

/** `objects/1.0.0/`. */
export const versionFolder = (model: string, version: string): string => `${model}/${version}/`;

/** `objects/champion.json`. */
export const aliasKey = (model: string, alias: string): string => `${model}/${alias}.json`;

/** Which bytes a version has, and who added it: made before its first file. */
export const additionKey = (model: string, version: string): string => `${model}/history/versions/${version}.json`;

/** Who removed a version. */
export const removalKey = (model: string, version: string): string => `${model}/history/removed/${version}.json`;

/** Names of channel files that are no aliases. */
export const CHANNEL = "channel";

const MODEL = /^[a-z0-9][a-z0-9._-]*$/i;
const ALIAS = /^[a-z][a-z0-9-]{0,63}$/;
const RESERVED_ALIASES = [CHANNEL, "history", "versions", "removed", "index", "insitu"];
// Names that Windows keeps for devices, with any extension.
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;
// Windows allows none of these in a name.
const FORBIDDEN = /[<>"|*]/;
const MAX_NAME = 100;

export function checkModelName(name: string): void {
  const problem = !MODEL.test(name)
    ? "is not a name of letters, digits, dots, dashes and underscores"
    : [INDEX, PAGE].includes(name.toLowerCase())
      ? "is a file of the registry"
      : nameProblem(name);
  if (problem) refuse(`The model's name ${JSON.stringify(name)} ${problem}. Pack it with another --name.`, { name });
}

export function checkVersion(version: string): void {
  // A plus sign in an address is a space for S3 and many servers.
  const problem = version.includes("+") ? "has build metadata, which addresses cannot hold" : nameProblem(version);
  if (problem) refuse(`The version ${version} ${problem}. Pack it with another --version.`, { version });
}

export function checkAlias(alias: string): void {
  const isFree = !RESERVED_ALIASES.includes(alias) && !DEVICE.test(alias);
  if (ALIAS.test(alias) && isFree) return;
  const message = `${JSON.stringify(alias)} cannot be an alias. Use small letters, digits and dashes, such as champion; ${RESERVED_ALIASES.join(", ")} are taken.`;
  refuse(message, { alias });
}

/** Each part of a file's path in a package. */
export function checkFilePaths(paths: string[]): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    for (const part of path.split("/")) {
      const problem = nameProblem(part);
      if (problem)
        refuse(`The package's file ${path} has a name that ${problem}. Rename it, and pack the model again.`, { path });
    }
    const other = seen.get(path.toLowerCase());
    if (other !== undefined)
      refuse(`The package's files ${other} and ${path} are one file where capitals do not count. Rename one.`, {
        path,
      });
    seen.set(path.toLowerCase(), path);
  }
}

function nameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME) return `is longer than ${MAX_NAME} characters`;
  if (DEVICE.test(name)) return "is a device on Windows";
  if (FORBIDDEN.test(name)) return "holds a character that Windows does not allow";
  if (/[. ]$/.test(name)) return "ends with a dot or a space, which Windows drops";
  return undefined;
}

/** `objects@champion` into its parts. */
export function parseAliasName(text: string): { model: string; alias: string } {
  const [, model, alias] = /^([^@]+)@([^@]+)$/.exec(text) ?? [];
  if (model === undefined || alias === undefined)
    return refuse(`${JSON.stringify(text)} is not an alias. Pass <model>@<alias>, such as objects@champion.`, { text });
  checkModelName(model);
  checkAlias(alias);
  return { model, alias };
}

export function refuse(message: string, data: Record<string, unknown> = {}): never {
  throw new InsituError("input_invalid", message, data);
}
