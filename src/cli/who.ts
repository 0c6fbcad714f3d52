// Who makes a change and why: from the options, the environment, or git's configuration.
import { execFile } from "node:child_process";
import { hostname, userInfo } from "node:os";
import { promisify } from "node:util";
import type { Command } from "commander";

export interface WhoOptions {
  by?: string;
  why?: string;
}

const MAX_BY = 200;
const MAX_WHY = 1_000;
const GIT_TIMEOUT = 5_000;

export function addWho(command: Command): Command {
  return command
    .option("--by <name>", "who makes the change (default: INSITU_BY, git's user.name, the user)")
    .option("--why <text>", "the reason (default: INSITU_WHY, or the run of GitHub Actions)");
}

/** One line each: they are shown in tables. */
export async function whoAndWhy({ by, why }: WhoOptions): Promise<{ by: string; why: string }> {
  const { env } = process;
  return {
    by: oneLine(by || env.INSITU_BY || (await gitUser()) || env.GITHUB_ACTOR || localUser(), MAX_BY),
    why: oneLine(why || env.INSITU_WHY || githubRun(env), MAX_WHY),
  };
}

// Control characters, and those that turn the direction of a line: a name must not change how its table reads.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

const oneLine = (text: string, max: number): string =>
  [...text.replace(UNPRINTABLE, " ").trim()].slice(0, max).join("");

async function gitUser(): Promise<string> {
  const get = (key: string) =>
    promisify(execFile)("git", ["config", "--get", key], { timeout: GIT_TIMEOUT }).then(
      ({ stdout }) => stdout.trim(),
      () => "",
    );
  // Not the address beside the name: histories are served with the models, for everybody.
  return (await get("user.name")) || get("user.email");
}

function localUser(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container whose user has no name.
    return hostname();
  }
}

function githubRun({
  GITHUB_SERVER_URL: server,
  GITHUB_REPOSITORY: repository,
  GITHUB_RUN_ID: run,
}: NodeJS.ProcessEnv) {
  return server && repository && run ? `${server}/${repository}/actions/runs/${run}` : "";
}
