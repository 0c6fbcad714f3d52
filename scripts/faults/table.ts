// The table of faults as text and as Markdown; pure.

export interface Fault {
  /** Its number in the issue that reported it, such as `A4`, or `C1, 59` for row 59 of the research. */
  id: string;
  fault: string;
  before: string;
  after: string;
  /** The test's file, and a part of its text that finds the test. */
  file: string;
  test: string;
}

/** What the test of a fault came to when it was run. */
export type Outcome = "passes" | "fails" | "not run";

export const readFaults = (text: string): Fault[] => JSON.parse(text) as Fault[];

/** One block of lines for each fault: tables with five columns do not fit a terminal. */
export function toTable(faults: readonly Fault[], outcomes?: ReadonlyMap<Fault, Outcome>): string {
  const blocks = faults.map((fault) => {
    const { id, fault: what, before, after, file } = fault;
    const outcome = outcomes && `, ${outcomes.get(fault) ?? "not run"}`;
    return [`${id.padEnd(7)} ${what}`, `  before  ${before}`, `  after   ${after}`, `  test    ${file}${outcome ?? ""}`]
      .join("\n")
      .concat("\n");
  });
  return `${blocks.join("\n")}\n${faults.length} faults\n`;
}

const INTRO = `# Faults that hostile testing found

Written by \`npm run faults -- --markdown\`; \`npm run faults -- --run\` runs the tests. The numbers are those of the issue that reported them; "C1, 59" is row 59 of the research on reliability.

`;

export function toMarkdown(faults: readonly Fault[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = faults.map(({ id, fault, before, after, file }) =>
    [id, cell(fault), cell(before), cell(after), `\`${file}\``].join(" | "),
  );
  return `${INTRO}| number | fault | before | after | test |\n|---|---|---|---|---|\n${rows.map((row) => `| ${row} |\n`).join("")}`;
}
