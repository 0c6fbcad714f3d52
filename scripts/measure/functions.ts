// Finds functions that do not fit a screen, by walking the syntax tree of each source file.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { ROOT } from "../checks/paths.js";

/** A screen: the limit of docs/style.md. Closures count with the functions inside them. */
export const MAX_LINES = 60;

export interface LongFunction {
  file: string;
  /** Of the first line, from 1. */
  line: number;
  name: string;
  lines: number;
}

/** The name under which a reader finds the function. */
function nameOf(node: ts.Node): string {
  const { name } = node as ts.FunctionDeclaration;
  if (name) return name.getText();
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText();
  if (ts.isCallExpression(parent)) return `argument of ${parent.expression.getText().slice(0, 30)}`;
  return "anonymous";
}

/** The functions of more than `max` lines in one file, without their doc comments. */
export function longFunctionsIn(source: string, file: string, max = MAX_LINES): LongFunction[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number) => tree.getLineAndCharacterOfPosition(position).line + 1;
  const found: LongFunction[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      const line = lineAt(node.getStart(tree));
      const lines = lineAt(node.end) - line + 1;
      if (lines > max) found.push({ file, line, name: nameOf(node), lines });
    }
    node.forEachChild(visit);
  };
  visit(tree);
  return found;
}

/** The long functions of some folders. */
export function longFunctions(folders: string[]): LongFunction[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map(
        (file) => `${folder}/${file.replaceAll("\\", "/")}`,
      ),
    )
    .filter((file) => file.endsWith(".ts") && !/\/(dist|node_modules)\//.test(file))
    .sort()
    .flatMap((file) => longFunctionsIn(readFileSync(join(ROOT, file), "utf8"), file));
}
