// ADWIN (Bifet and Gavaldà 2007): an adaptive window over errors that drops its older part when the mean has changed; pure.

/** `2^row` values of one bucket, added up. */
interface Bucket {
  total: number;
  /** Sum of squared deviations from the bucket's mean. */
  variance: number;
}

/** A change of the mean. */
export interface AdwinChange {
  /** Index of the value at which it was found, from 0. */
  at: number;
  /** Values that were dropped, and their mean. */
  before: { n: number; mean: number };
  /** What is left, and its mean. */
  after: { n: number; mean: number };
}

export interface AdwinOptions {
  /** Largest probability of a false alarm in one test. */
  confidence: number;
  clock?: number;
  maxBuckets?: number;
  minWindow?: number;
  grace?: number;
}

/** All changes of a sequence. After each the detector begins anew with the next value, as river's does since 0.15. */
export function adwinChanges(values: Iterable<number>, options: AdwinOptions): AdwinChange[] {
  const changes: AdwinChange[] = [];
  let adwin = new Adwin(options);
  let offset = 0;
  let i = 0;
  for (const value of values) {
    const change = adwin.update(value);
    i += 1;
    if (!change) continue;
    changes.push({ ...change, at: offset + change.at });
    adwin = new Adwin(options);
    offset = i;
  }
  return changes;
}

/** The defaults are those of river, whose values are the reference of the tests. */
export class Adwin {
  readonly #confidence: number;
  readonly #clock: number;
  readonly #maxBuckets: number;
  readonly #minWindow: number;
  readonly #grace: number;
  /** Row i holds buckets of 2^i values, the oldest first; the last row is the oldest. */
  #rows: Bucket[][] = [[]];
  #seen = 0;
  #width = 0;
  #total = 0;
  #variance = 0;

  constructor({ confidence, clock = 32, maxBuckets = 5, minWindow = 5, grace = 10 }: AdwinOptions) {
    this.#confidence = confidence;
    this.#clock = clock;
    this.#maxBuckets = maxBuckets;
    this.#minWindow = minWindow;
    this.#grace = grace;
  }

  get width(): number {
    return this.#width;
  }

  get total(): number {
    return this.#total;
  }

  /** Sum of squared deviations of the values in the window. */
  get variance(): number {
    return this.#variance;
  }

  /** Adds a value; returns the change that it made visible, if any. */
  update(value: number): AdwinChange | undefined {
    this.#insert(value);
    this.#seen += 1;
    if (this.#seen % this.#clock !== 0 || this.#width <= this.#grace) return undefined;
    const [n, total] = [this.#width, this.#total];
    let isChanged = false;
    while (this.#findCut()) {
      this.#dropOldest();
      isChanged = true;
    }
    if (!isChanged) return undefined;
    const dropped = n - this.#width;
    return {
      at: this.#seen - 1,
      before: { n: dropped, mean: (total - this.#total) / dropped },
      after: { n: this.#width, mean: this.#total / this.#width },
    };
  }

  #insert(value: number): void {
    if (this.#width > 0) {
      const mean = this.#total / this.#width;
      this.#variance += (this.#width * (value - mean) ** 2) / (this.#width + 1);
    }
    this.#width += 1;
    this.#total += value;
    this.#rows[0]?.push({ total: value, variance: 0 });
    this.#compress();
  }

  /** Joins the two oldest buckets of each row that has too many. */
  #compress(): void {
    for (let row = 0; row < this.#rows.length; row += 1) {
      const buckets = this.#rows[row] as Bucket[];
      if (buckets.length <= this.#maxBuckets) return;
      const [a, b] = buckets.splice(0, 2) as [Bucket, Bucket];
      const n = 2 ** row;
      const difference = a.total / n - b.total / n;
      const joined = { total: a.total + b.total, variance: a.variance + b.variance + (n * difference ** 2) / 2 };
      const next = this.#rows[row + 1];
      if (next) next.push(joined);
      else this.#rows.push([joined]);
    }
  }

  /** Whether a cut between two buckets separates two different means. */
  #findCut(): boolean {
    let [n0, sum0] = [0, 0];
    let [n1, sum1] = [this.#width, this.#total];
    for (const { n, total } of this.#buckets()) {
      n0 += n;
      n1 -= n;
      sum0 += total;
      sum1 -= total;
      if (n1 <= this.#minWindow) return false;
      if (n0 > this.#minWindow && this.#differs(n0, sum0, n1, sum1)) return true;
    }
    return false;
  }

  #differs(n0: number, sum0: number, n1: number, sum1: number): boolean {
    const harmonic = 1 / (n0 - this.#minWindow + 1) + 1 / (n1 - this.#minWindow + 1);
    const log = Math.log((2 * Math.log(this.#width)) / this.#confidence);
    const variance = this.#variance / this.#width;
    const epsilon = Math.sqrt(2 * harmonic * variance * log) + (2 / 3) * log * harmonic;
    return Math.abs(sum0 / n0 - sum1 / n1) > epsilon;
  }

  /** From the oldest to the newest. */
  #buckets(): { n: number; total: number }[] {
    return this.#rows
      .map((row, i) => row.map(({ total }) => ({ n: 2 ** i, total })))
      .reverse()
      .flat();
  }

  #dropOldest(): void {
    const row = this.#rows.length - 1;
    const oldest = this.#rows[row]?.shift() as Bucket;
    const n = 2 ** row;
    this.#width -= n;
    this.#total -= oldest.total;
    const mean = oldest.total / n;
    const difference = mean - this.#total / this.#width;
    this.#variance -= oldest.variance + (n * this.#width * difference ** 2) / (n + this.#width);
    while (this.#rows.length > 1 && this.#rows.at(-1)?.length === 0) this.#rows.pop();
  }
}
