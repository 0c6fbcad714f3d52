// Type-checks the code blocks of the documentation against the built library, as a reader's editor would, and parses the JSON ones.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../paths.js";
import { type Count, command, type Print } from "../run.js";
import { docPages, type Page, snippetsOf } from "./pages.js";

/** Languages that no check reads: there is no Python, Prometheus or web server here. Every other block is checked, or an error. */
const UNCHECKED = new Set(["", "text", "http", "python", "yaml", "promql", "nginx", "apache"]);
/** Its blocks are excerpts with gaps, which show how code of `src` is written. */
const EXCERPTS = "docs/style.md";
/** Checked by commands.ts. */
const SHELL = "sh";

const CONFIG = {
  extends: "../../tsconfig.base.json",
  // A snippet may leave out what it does with a value.
  compilerOptions: {
    lib: ["ES2023", "ESNext.Disposable", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    jsx: "react-jsx",
    noUnusedLocals: false,
    noUnusedParameters: false,
    composite: false,
    emitDeclarationOnly: false,
    noEmit: true,
  },
  include: ["*.ts", "*.tsx"],
  exclude: [],
};

/** What is to be compiled or parsed of one page. */
export interface PageCode {
  /** File names with TypeScript code. */
  files: Map<string, string>;
  problems: string[];
  /** Number of blocks that were parsed here. */
  parsed: number;
}

/** Takes the code out of a page: `ts`, `tsx`, and of `html` the scripts. Parses JSON. */
export function codeOf({ path, text }: Page): PageCode {
  const found: PageCode = { files: new Map(), problems: [], parsed: 0 };
  const stem = path.replace(/\.md$/, "").replaceAll(/[^\w]+/g, "-");
  const parse = (code: string, line: number) => {
    try {
      JSON.parse(code);
      found.parsed += 1;
    } catch (error) {
      found.problems.push(`${path}:${line}: this JSON cannot be parsed: ${(error as Error).message}`);
    }
  };
  for (const { line, language, code } of path === EXCERPTS ? [] : snippetsOf(text)) {
    const at = `${stem}-line-${line}`;
    if (language === "ts" || language === "tsx") found.files.set(`${at}.${language}`, `${code}\nexport {};\n`);
    else if (language === "json") parse(code, line);
    else if (language === "html") {
      let scripts = 0;
      for (const [, kind, script = ""] of code.matchAll(
        /<script type="(module|importmap)"[^>]*>([\s\S]*?)<\/script>/g,
      )) {
        if (kind === "importmap") parse(script, line);
        else if (script.trim()) found.files.set(`${at}-script-${scripts++}.ts`, `${script}\nexport {};\n`);
      }
    } else if (language !== SHELL && !UNCHECKED.has(language))
      found.problems.push(`${path}:${line}: no check reads blocks of the language ${language}.`);
  }
  return found;
}

/** `insitu` resolves to this package by its own name, through package.json's exports: to dist/, never to src/. */
export async function docSnippets(print: Print): Promise<Count> {
  const folder = join(ROOT, ".cache", "docs");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let passed = 0;
  const problems: string[] = [];
  for (const page of docPages()) {
    const code = codeOf(page);
    for (const [name, text] of code.files) writeFileSync(join(folder, name), text);
    passed += code.files.size + code.parsed;
    problems.push(...code.problems);
  }
  for (const problem of problems) print(`${problem}\n`);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONFIG));
  const { failed } = await command("npx", "tsc", "-p", folder)(print);
  return failed > 0 || problems.length > 0 ? { passed: 0, failed: failed + problems.length } : { passed, failed: 0 };
}
