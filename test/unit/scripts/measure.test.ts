// `npm run measure` finds long functions: declarations, methods and closures, each with its first line and its length.
import { expect, test } from "vitest";
import { longFunctionsIn } from "../../../scripts/measure/functions.js";

const body = (lines: number) => Array.from({ length: lines }, (_, i) => `  work(${i});`).join("\n");

test("a function of the maximum length is accepted, one of a line more is reported", () => {
  const source = `function short() {\n${body(58)}\n}\n\n/** A comment does not count. */\nfunction long() {\n${body(59)}\n}\n`;
  expect(longFunctionsIn(source, "a.ts")).toEqual([{ file: "a.ts", line: 63, name: "long", lines: 61 }]);
});

test("a closure counts for itself and for the function around it", () => {
  const source = `const create = () => {\n  const inner = () => {\n${body(70)}\n  };\n  return inner;\n};\n`;
  const found = longFunctionsIn(source, "a.ts").map(({ name, lines }) => [name, lines]);
  expect(found).toEqual([
    ["create", 75],
    ["inner", 72],
  ]);
});

test("methods, constructors and callbacks have names by which they are found", () => {
  const source = `class A {\n  constructor() {\n${body(60)}\n  }\n  run() {\n${body(60)}\n  }\n}\ntest("x", () => {\n${body(60)}\n});\n`;
  expect(longFunctionsIn(source, "a.ts").map(({ name }) => name)).toEqual(["constructor", "run", "argument of test"]);
});
