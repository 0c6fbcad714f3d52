// Aligned columns for a terminal.

/** Rows of cells under a heading; columns of numbers are aligned to the right. */
export function textTable(heading: string[], rows: string[][]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ""))));
  const isNumeric = heading.map((_, column) =>
    rows.every((row) => /^(?:[-+]?[\d.,]+(?: ?%| ms| kB| MB)?|)$/.test(row[column] ?? "")),
  );
  const line = (row: string[]) =>
    heading
      .map((_, column) => {
        const cell = row[column] ?? "";
        const space = " ".repeat((widths[column] ?? 0) - width(cell));
        return isNumeric[column] ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  return all.map(line).join("\n");
}

/** Characters, not UTF-16 units; East Asian characters, which are twice as wide, are not considered. */
const width = (text: string): number => [...text].length;
