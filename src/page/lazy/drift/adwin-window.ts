// ADWIN's window: sums of its values in buckets of 1, 2, 4, … values, so that a million values need a hundred buckets.

/** The buckets of one size, the oldest first: of each the sum of its values, and of their squared deviations. */
type Row = [total: number, deviations: number][];

export interface AdwinWindow {
  insert(value: number): void;
  /** Values in the window. */
  width(): number;
  /** Their sum. */
  total(): number;
  /** The sum of their squared deviations from their mean. */
  deviations(): number;
  /** Each place between two buckets: how many values are before it, and their sum. */
  cuts(): Generator<[count: number, total: number]>;
  state(): number[];
}

// A window of 2^30 values; what a browser stored is not believed to be larger.
const MAX_ROWS = 30;

/** Keeps `maxBuckets` buckets of each size. Empty where `stored` is not a state. */
export function createWindow(maxBuckets: number, stored: readonly number[] = []): AdwinWindow {
  const restored = readRows(stored, maxBuckets);
  /** Row i holds buckets of 2^i values. */
  const rows: Row[] = restored ?? [[]];
  let [width = 0, total = 0, deviations = 0] = restored ? stored : [];
  return {
    insert(value) {
      if (width > 0) deviations += (width * (value - total / width) ** 2) / (width + 1);
      width += 1;
      total += value;
      rows[0]?.push([value, 0]);
      compress(rows, maxBuckets);
    },
    width: () => width,
    total: () => total,
    deviations: () => deviations,
    *cuts() {
      let [count, sum] = [0, 0];
      for (let size = rows.length - 1; size >= 0; size -= 1)
        for (const [own] of rows[size] as Row) {
          count += 2 ** size;
          sum += own;
          yield [count, sum];
        }
    },
    state: () => [width, total, deviations, ...rows.flatMap((row) => [row.length, ...row.flat()])],
  };
}

function readRows([width, total, deviations, ...numbers]: readonly number[], maxBuckets: number): Row[] | undefined {
  const rows: Row[] = [];
  let held = 0;
  for (let at = 0; at < numbers.length && rows.length < MAX_ROWS; ) {
    const count = numbers[at] as number;
    if (!Number.isInteger(count) || count < 0 || count > maxBuckets) return undefined;
    const row: Row = [];
    for (at += 1; row.length < count; at += 2) row.push([numbers[at] as number, numbers[at + 1] as number]);
    held += count * 2 ** rows.length;
    rows.push(row);
  }
  const isSound = [...rows.flat(2), total, deviations].every(Number.isFinite);
  return rows.length > 0 && held === width && isSound ? rows : undefined;
}

/** Merges the two oldest buckets of a size of which there are too many into one of the next size. */
function compress(rows: Row[], maxBuckets: number): void {
  for (let size = 0; size < rows.length; size += 1) {
    const row = rows[size] as Row;
    if (row.length <= maxBuckets) return;
    const [[sumA, ownA], [sumB, ownB]] = row.splice(0, 2) as [Row[number], Row[number]];
    const count = 2 ** size;
    // Both hold as many values.
    const between = ((sumA / count - sumB / count) ** 2 * count) / 2;
    const next = rows[size + 1] ?? [];
    next.push([sumA + sumB, ownA + ownB + between]);
    rows[size + 1] = next;
  }
}
