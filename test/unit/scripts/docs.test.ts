// The documentation's own claims: every error code, every test that the table of complaints names, every page in the sidebar.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sidebarLinks } from "../../../docs/.vitepress/sidebar.js";
import { linesOf, optionsOf, type Programs, problemsOf } from "../../../scripts/checks/docs/commands.js";
import { docPages, snippetsOf } from "../../../scripts/checks/docs/pages.js";
import { links } from "../../../scripts/checks/docs/site.js";
import { codeOf } from "../../../scripts/checks/docs/snippets.js";
import { ROOT } from "../../../scripts/checks/paths.js";
import { ERROR_CODES } from "../../../src/shared/errors.js";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
/** The cells of a page's table rows, without header and rule. */
const rowsOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => /^\| (?!-)/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

test("each column of a table has a name: a screen reader says it with every cell", () => {
  const nameless = docPages().flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines
      .filter((line, index) => /^\|[\s:|-]+$/.test(line) && /\|\s*\|/.test(lines[index - 1] ?? ""))
      .map(() => path);
  });
  expect(nameless).toEqual([]);
});

describe("docs/errors.md", () => {
  const rows = rowsOf(read("docs/errors.md")).filter(([code = ""]) => code.startsWith("`"));

  test("has each code of the closed list once, in its order", () => {
    expect(rows.map(([code = ""]) => code.replaceAll("`", ""))).toEqual([...ERROR_CODES]);
  });

  test("gives a cause and a remedy for each", () => {
    for (const [code, cause = "", remedy = ""] of rows) {
      expect(cause.length, `${code}: cause`).toBeGreaterThan(15);
      expect(remedy.length, `${code}: remedy`).toBeGreaterThan(15);
    }
  });
});

describe("docs/complaints.md", () => {
  const rows = rowsOf(read("docs/complaints.md")).filter(([number = ""]) => /^\d+$/.test(number));

  test("has the 25 complaints", () => {
    expect(rows.map(([number]) => Number(number))).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  });

  test("names tests that exist, with a sentence that is in them, or says that it is not covered", () => {
    for (const row of rows) {
      const last = row.at(-1) ?? "";
      const files = [...last.matchAll(/`([\w./-]+\.ts)`/g)].map(([, path = ""]) => path);
      if (files.length === 0) expect(last, `complaint ${row[0]}`).toMatch(/^not covered/);
      for (const file of files) expect(existsSync(join(ROOT, file)), `complaint ${row[0]}: ${file}`).toBe(true);
      const texts = files.map(read).join("\n");
      for (const [, sentence = ""] of last.matchAll(/"([^"]+)"/g))
        expect(texts.includes(sentence), `complaint ${row[0]}: "${sentence}"`).toBe(true);
    }
  });
});

describe("the sidebar", () => {
  test("has every page once", () => {
    const pages = docPages()
      .map(({ path }) => path)
      .filter((path) => path.startsWith("docs/") && path !== "docs/index.md")
      .map((path) => `/${path.slice("docs/".length, -".md".length).replace(/index$/, "")}`);
    expect(
      sidebarLinks()
        .filter((link) => !link.startsWith("/api/"))
        .sort(),
    ).toEqual(pages.sort());
  });
});

describe("snippetsOf", () => {
  test("takes every block with its language and line, also an indented one", () => {
    const markdown =
      "# Title\n\n```sh\nnpm install\n```\n\n1. a step\n   ```ts\n   const a = 1;\n   ```\n\n```\nplain\n```\n";
    expect(snippetsOf(markdown)).toEqual([
      { line: 4, language: "sh", code: "npm install\n" },
      { line: 9, language: "ts", code: "const a = 1;\n" },
      { line: 13, language: "", code: "plain\n" },
    ]);
  });
});

describe("codeOf", () => {
  test("takes TypeScript and the scripts of HTML, and reports JSON that cannot be parsed and unknown languages", () => {
    const text = [
      "```tsx\n<p />;\n```",
      '```html\n<script type="importmap">{}</script>\n<script type="module">\nlet a = 1;\n</script>\n```',
      "```json\n{ a: 1 }\n```",
      "```cobol\n```",
    ].join("\n");
    const { files, parsed, problems } = codeOf({ path: "docs/a.md", text });
    expect([...files.keys()]).toEqual(["docs-a-line-2.tsx", "docs-a-line-5-script-0.ts"]);
    expect(parsed).toBe(1);
    expect(problems).toEqual([expect.stringContaining("docs/a.md:11"), expect.stringContaining("cobol")]);
  });
});

describe("the commands of shell blocks", () => {
  const programs: Programs = {
    insitu: new Map([
      ["pack", new Set(["--out", "--name"])],
      ["channel start", new Set(["--stable"])],
    ]),
    collector: new Set(["--port"]),
    scripts: new Map([
      ["", new Set(["build", "test"])],
      ["insitu-collector", new Set(["load"])],
    ]),
  };

  test.each([
    "npx insitu pack model.json --out here # comment --nothing",
    "insitu pack model.json --name=a",
    "insitu channel start models --stable 1.0.0",
    "npx insitu-collector --port 1",
    "npm test -- unit",
    "npm run load --workspace insitu-collector -- --seconds 20",
    "pip install --upgrade x",
    "npm install insitu",
  ])("%s is right", (line) => {
    expect(problemsOf(line, programs)).toEqual([]);
  });

  test.each([
    ["npx insitu bundle", 'no command "bundle"'],
    ["npx insitu pack model.json --output here", "no option --output"],
    ["insitu channel start models --canary 1.0.0", "insitu channel start has no option --canary"],
    ["insitu channel stop models", 'no command "channel stop"'],
    ["insitu-collector --prot 1", "no option --prot"],
    ["A=1 npm run nothing", 'no npm script "nothing"'],
    ["npm run load --workspace other", "no workspace other"],
  ])("%s is a problem", (line, problem) => {
    expect(problemsOf(line, programs).join()).toContain(problem);
  });

  test("a backslash continues a line, && ends a command", () => {
    expect(linesOf("a \\\n  --b\nc && d\n").map((line) => line.trim())).toEqual(["a --b", "c", "d"]);
  });

  test("options are read from a command's help", () => {
    expect([...optionsOf("  --out <folder>  folder\n  -h, --help  help\n  --no-self-test  none")]).toEqual([
      "--out",
      "-h",
      "--help",
      "--no-self-test",
    ]);
  });
});

describe("links", () => {
  test("a dead page and a dead anchor are reported with the page that has them; other hosts are not asked", async () => {
    const folder = mkdtempSync(join(tmpdir(), "insitu-links-"));
    try {
      const anchors = ["/b.html", "/b.html#there", "/b.html#gone", "/none.html", "https://nowhere.invalid/"];
      writeFileSync(join(folder, "index.html"), anchors.map((href) => `<a href="${href}">x</a>`).join(""));
      writeFileSync(join(folder, "b.html"), '<h2 id="there">b</h2>');
      const said: string[] = [];
      const count = await links(folder, "/", false, (text) => void said.push(text));
      expect(count.failed).toBe(2);
      expect(said.join("")).toMatch(/b\.html#gone leads nowhere/);
      expect(said.join("")).toMatch(/none\.html leads nowhere/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
