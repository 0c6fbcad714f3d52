// The simulation's tables, as text for a terminal and as Markdown for the docs.
import type { Row } from "./scenarios.js";

const verdict = ({ target, isMet }: Row): string => (target === "" ? "" : `${target}: ${isMet ? "met" : "MISSED"}`);

export function toText(title: string, rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ question }) => question.length));
  const lines = rows.map(
    (row) => `  ${row.question.padEnd(width)}  ${row.found}${row.target && `  [${verdict(row)}]`}`,
  );
  return `\n${title}\n${lines.join("\n")}\n`;
}

export function toMarkdown(tables: readonly { title: string; rows: readonly Row[] }[]): string {
  const table = (rows: readonly Row[]) =>
    [
      "| what | found | target |",
      "|---|---|---|",
      ...rows.map((row) => `| ${row.question} | ${row.found} | ${verdict(row)} |`),
    ].join("\n");
  return tables.map(({ title, rows }) => `**${title}**\n\n${table(rows)}\n`).join("\n");
}
