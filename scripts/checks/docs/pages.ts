// Finds the pages of the documentation and the fenced code blocks in them.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ROOT } from "../paths.js";

export interface Snippet {
  /** Line of the page on which the code starts, from 1. */
  line: number;
  /** The first word behind the fence; empty where there is none. */
  language: string;
  code: string;
}

/** All fenced blocks, also indented ones, which belong to a list. */
export function snippetsOf(markdown: string): Snippet[] {
  return [...markdown.matchAll(/^([ \t]*)```(\w*)[^\n]*\n([\s\S]*?)^[ \t]*```[ \t]*$/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split("\n").length + 1,
    language: match[2] ?? "",
    code: (match[3] ?? "").replaceAll(new RegExp(`^${match[1]}`, "gm"), ""),
  }));
}

export interface Page {
  /** Relative to the repository, with slashes. */
  path: string;
  text: string;
}

const READ_BESIDES = ["README.md", "CONTRIBUTING.md", "collector/README.md"];

/** The README, the pages of the site except the generated reference, and what else has commands. */
export function docPages(): Page[] {
  const site = readdirSync(join(ROOT, "docs"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => !/^docs\/(api|\.vitepress)\//.test(path))
    .sort();
  return [...READ_BESIDES, ...site].map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}
