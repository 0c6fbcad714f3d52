// Draws the demo's two plots as SVG: accuracy over time by version, and how many visitors run which version.
import type { Read } from "./visitors.js";

/** A moment to mark. */
export interface Mark {
  at: number;
  text: string;
}

const [WIDTH, HEIGHT] = [760, 300];
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 16, 64, 40];
// Okabe and Ito's palette: told apart by people who see few colours; the shapes differ as well.
const COLOURS = ["#0072b2", "#d55e00"];
const STEP = 5_000;
const MIN_READS = 10;
const Z2 = 1.959963984540054 ** 2;

/** Share of correct reads in steps of five seconds, with Wilson's 95 % interval. */
export function accuracyPlot(reads: readonly Read[], marks: readonly Mark[], limit: number): string {
  const { from, to, x } = scaleOf(reads);
  const y = (share: number) => TOP + (1 - (share - 0.4) / 0.6) * (HEIGHT - TOP - BOTTOM);
  const series = versionsOf(reads).map((version, i) => {
    const colour = COLOURS[i % COLOURS.length] as string;
    const parts: string[] = [];
    const line: string[] = [];
    for (let at = from; at < to; at += STEP) {
      const some = reads.filter((one) => one.version === version && one.at >= at && one.at < at + STEP);
      if (some.length < MIN_READS) continue;
      const share = some.filter(({ isRight }) => isRight).length / some.length;
      const [low, high] = wilson(share, some.length);
      const place = x(at + STEP / 2).toFixed(1);
      line.push(`${place},${y(share).toFixed(1)}`);
      const [top, bottom] = [y(Math.min(1, high)).toFixed(1), y(Math.max(0.4, low)).toFixed(1)];
      parts.push(
        `<line x1="${place}" x2="${place}" y1="${top}" y2="${bottom}" stroke="${colour}" stroke-opacity="0.45"/>`,
      );
      parts.push(dot(i, Number(place), y(share), colour));
    }
    return `<polyline points="${line.join(" ")}" fill="none" stroke="${colour}" stroke-width="1.5"/>${parts.join("")}`;
  });
  const grid = [0.4, 0.6, 0.8, 1].map((share) => gridLine(y(share), `${100 * share} %`));
  const limitLine = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(limit)}" y2="${y(limit)}" stroke="#555" stroke-dasharray="5 4"/><text x="${WIDTH / 2}" y="${y(limit) - 4}" text-anchor="middle">limit of the trigger, ${100 * limit} %</text>`;
  return svg("Accuracy of the page's predictions over time, by version", [
    ...grid,
    limitLine,
    ...marksOf(marks, x),
    ...series,
    ...axis(from, to, x),
    legend(versionsOf(reads)),
  ]);
}

/** Share of reads by version in steps of five seconds. */
export function versionsPlot(reads: readonly Read[], marks: readonly Mark[]): string {
  const { from, to, x } = scaleOf(reads);
  const y = (share: number) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const versions = versionsOf(reads);
  const bars: string[] = [];
  for (let at = from; at < to; at += STEP) {
    const some = reads.filter((one) => one.at >= at && one.at < at + STEP);
    let below = 0;
    for (const [i, version] of versions.entries()) {
      const share = some.filter((one) => one.version === version).length / Math.max(1, some.length);
      if (share === 0) continue;
      const [top, height] = [y(below + share), y(below) - y(below + share)];
      const width = Math.max(1, x(at + STEP) - x(at) - 1);
      bars.push(
        `<rect x="${x(at).toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${COLOURS[i % COLOURS.length]}"/>`,
      );
      below += share;
    }
  }
  const grid = [0, 0.5, 1].map((share) => gridLine(y(share), `${100 * share} %`));
  return svg("Share of the predictions by version over time", [
    ...grid,
    ...bars,
    ...marksOf(marks, x),
    ...axis(from, to, x),
    legend(versions),
  ]);
}

const versionsOf = (reads: readonly Read[]) => [...new Set(reads.map(({ version }) => version))].sort();

function scaleOf(reads: readonly Read[]) {
  const times = reads.map(({ at }) => at);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  return { from, to, x: (at: number) => LEFT + ((at - from) / (to - from)) * (WIDTH - LEFT - RIGHT) };
}

function wilson(p: number, n: number): [number, number] {
  const half = Math.sqrt(Z2 * ((p * (1 - p)) / n + Z2 / (4 * n * n)));
  return [(p + Z2 / (2 * n) - half) / (1 + Z2 / n), (p + Z2 / (2 * n) + half) / (1 + Z2 / n)];
}

function dot(i: number, x: number, y: number, colour: string): string {
  return i % 2 === 0
    ? `<circle cx="${x}" cy="${y.toFixed(1)}" r="3" fill="${colour}"/>`
    : `<rect x="${(x - 3).toFixed(1)}" y="${(y - 3).toFixed(1)}" width="6" height="6" fill="${colour}"/>`;
}

const gridLine = (y: number, text: string) =>
  `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#999" stroke-opacity="0.3"/><text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${text}</text>`;

function marksOf(marks: readonly Mark[], x: (at: number) => number): string[] {
  return marks.map(({ at, text }, i) => {
    const [place, height] = [x(at).toFixed(1), TOP - 6 - 13 * (i % 3)];
    return `<line x1="${place}" x2="${place}" y1="${height + 2}" y2="${HEIGHT - BOTTOM}" stroke="#777" stroke-opacity="0.6"/><text x="${place}" y="${height}" text-anchor="middle">${text}</text>`;
  });
}

function axis(from: number, to: number, x: (at: number) => number): string[] {
  const labels: string[] = [];
  for (let at = 0; from + at <= to; at += 30_000)
    labels.push(
      `<text x="${x(from + at).toFixed(1)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${at / 1_000} s</text>`,
    );
  return labels;
}

function legend(versions: readonly string[]): string {
  return versions
    .map((version, i) => {
      const x = LEFT + 110 * i;
      return `${dot(i, x + 6, HEIGHT - 10, COLOURS[i % COLOURS.length] as string)}<text x="${x + 16}" y="${HEIGHT - 6}">version ${version}</text>`;
    })
    .join("");
}

function svg(title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}" font-family="system-ui, sans-serif" font-size="11" fill="#444">
<title>${title}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${parts.join("\n")}
</svg>
`;
}
