// Checks the commands of the documentation's `sh` blocks: that each script, command and option exists.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../paths.js";
import { type Count, outputOf, type Print } from "../run.js";
import { docPages, snippetsOf } from "./pages.js";

/** What the documented programs have. */
export interface Programs {
  /** Options of each `insitu` command, such as `--out`; of commands with commands below them by both names, such as `channel start`. */
  insitu: Map<string, Set<string>>;
  collector: Set<string>;
  /** npm scripts by workspace; "" is the root. */
  scripts: Map<string, Set<string>>;
}

/** The problems of one line of a shell block. Programs that are not ours are not checked. */
export function problemsOf(line: string, programs: Programs): string[] {
  const words = line
    .replace(/\s#.*$/, "")
    .trim()
    .split(/\s+/);
  while (/^\w+=/.test(words[0] ?? "")) words.shift();
  if (words[0] === "npx") words.shift();
  const [program = "", name = "", ...rest] = words;
  const options = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split("=")[0] ?? "");
  const unknown = (known: Set<string>) => options.filter((option) => !known.has(option));
  if (program === "insitu") {
    const isGroup = [...programs.insitu.keys()].some((key) => key.startsWith(`${name} `));
    const command = isGroup ? `${name} ${rest[0] ?? ""}` : name;
    const known = programs.insitu.get(command);
    if (!known) return [`insitu has no command "${command}"`];
    return unknown(known).map((option) => `insitu ${command} has no option ${option}`);
  }
  if (program === "insitu-collector")
    return unknown(programs.collector).map((option) => `insitu-collector has no option ${option}`);
  if (program !== "npm") return [];
  const script = name === "run" ? rest[0] : ["start", "test"].includes(name) ? name : undefined;
  if (script === undefined) return [];
  const workspace = words[words.indexOf("--workspace") + 1] ?? "";
  const known = programs.scripts.get(words.includes("--workspace") ? workspace : "");
  if (!known) return [`there is no workspace ${workspace}`];
  return known.has(script) ? [] : [`there is no npm script "${script}"`];
}

/** The lines of a block; a backslash continues one. */
export function linesOf(code: string): string[] {
  return code
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .flatMap((line) => line.split(/&&|;/))
    .filter((line) => line.trim() !== "");
}

/** The options that a command's help lists. */
export function optionsOf(help: string): Set<string> {
  return new Set([...help.matchAll(/(?:^|[\s,])(--?[a-z][a-z-]*)/gm)].map(([, option = ""]) => option));
}

/** The commands that a help lists, without `help` itself. */
function commandsOf(help: string): string[] {
  const names = [...(help.split(/^Commands:/m)[1] ?? "").matchAll(/^ {2}([a-z]+)/gm)].map(([, name = ""]) => name);
  return names.filter((name) => name !== "help");
}

async function readPrograms(): Promise<Programs> {
  const cli = join(ROOT, "dist/cli/main.js");
  const helpOf = (...command: string[]) => outputOf(process.execPath, cli, ...command, "--help");
  const listed = await Promise.all(
    commandsOf(await helpOf()).map(async (name) => {
      const below = commandsOf(await helpOf(name)).map((sub) => [name, sub]);
      return below.length > 0 ? below : [[name]];
    }),
  );
  const commands = listed.flat();
  if (commands.length === 0) throw new Error("The help of insitu lists no command.");
  const helps = await Promise.all(commands.map((command) => helpOf(...command)));
  const collector = await outputOf(process.execPath, join(ROOT, "collector/dist/main.js"), "--help");
  const manifest = (folder: string) =>
    JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as {
      name: string;
      scripts?: object;
      workspaces?: string[];
    };
  const root = manifest("");
  const scripts = new Map([["", new Set(Object.keys(root.scripts ?? {}))]]);
  for (const folder of root.workspaces ?? []) {
    const { name, scripts: own = {} } = manifest(folder);
    scripts.set(name, new Set(Object.keys(own)));
  }
  return {
    insitu: new Map(commands.map((command, index) => [command.join(" "), optionsOf(helps[index] ?? "")])),
    collector: optionsOf(collector),
    scripts,
  };
}

export async function docCommands(print: Print): Promise<Count> {
  const programs = await readPrograms();
  const count: Count = { passed: 0, failed: 0 };
  for (const { path, text } of docPages())
    for (const { line, language, code } of snippetsOf(text))
      for (const one of language === "sh" ? linesOf(code) : []) {
        // What follows runs in a project of the reader.
        if (/^\s*cd /.test(one)) break;
        const problems = problemsOf(one, programs);
        for (const problem of problems) print(`${path}:${line}: ${problem}: ${one.trim()}\n`);
        count[problems.length > 0 ? "failed" : "passed"] += 1;
      }
  return count;
}
