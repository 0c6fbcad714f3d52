// Type-checks the README's `ts` snippets against the built library, as a reader's editor would.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths.js";
import { type Count, command, type Print } from "./run.js";

export interface Snippet {
  /** Line of the README on which the code starts, from 1. */
  line: number;
  code: string;
}

/** The fenced blocks marked `ts`. */
export function snippetsOf(markdown: string): Snippet[] {
  return [...markdown.matchAll(/^```ts\b[^\n]*\n([\s\S]*?)^```/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split("\n").length + 1,
    code: match[1] ?? "",
  }));
}

const CONFIG = {
  extends: "../../tsconfig.base.json",
  // A snippet may leave out what it does with a value.
  compilerOptions: {
    lib: ["ES2023", "ESNext.Disposable", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    noUnusedLocals: false,
    noUnusedParameters: false,
    composite: false,
    emitDeclarationOnly: false,
    noEmit: true,
  },
  include: ["*.ts"],
  exclude: [],
};

/** `insitu` resolves to this package by its own name, through package.json's exports: to dist/, never to src/. */
export async function readmeSnippets(print: Print): Promise<Count> {
  const folder = join(ROOT, ".cache", "readme");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const snippets = snippetsOf(readFileSync(join(ROOT, "README.md"), "utf8"));
  if (snippets.length === 0) throw new Error("README.md has no block marked ts: nothing shows how to use the library.");
  for (const { line, code } of snippets) {
    writeFileSync(join(folder, `readme-line-${line}.ts`), `${code}\nexport {};\n`);
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONFIG));
  const { failed } = await command("npx", "tsc", "-p", folder)(print);
  return failed > 0 ? { passed: 0, failed: 1 } : { passed: snippets.length, failed: 0 };
}
