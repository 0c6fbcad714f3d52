// Small pieces of HTML: everything that a package or a publisher said is escaped.

const CODES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text for an element or an attribute in double quotes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => CODES[sign] as string);

export interface Column<T> {
  heading: string;
  /** HTML. */
  cell(row: T): string;
  /** Aligned to the right. */
  isNumber?: boolean;
}

/** A table that scrolls by itself where the screen is narrow; its first column names the row. */
export function htmlTable<T>(label: string, columns: Column<T>[], rows: T[]): string {
  const number = ({ isNumber }: Column<T>) => (isNumber ? ' class="number"' : "");
  const head = columns.map((column) => `<th scope="col"${number(column)}>${escapeHtml(column.heading)}</th>`).join("");
  const cells = (row: T) =>
    columns
      .map((column, index) =>
        index === 0 ? `<th scope="row">${column.cell(row)}</th>` : `<td${number(column)}>${column.cell(row)}</td>`,
      )
      .join("");
  const body = rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n");
  return `<div class="scroll" role="region" aria-label="${escapeHtml(label)}" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e8 ? 2 : 0)} MB`;
}

/** Up to four digits, without an exponent where it can be. */
export const numberText = (value: number): string =>
  Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));

/** To the minute, in UTC: the page is the same wherever it is written. */
export const timeText = (at: string): string => new Date(at).toISOString().slice(0, 16).replace("T", " ");
