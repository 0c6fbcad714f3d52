// The posterior over a user's tastes: a Gaussian over named weights, updated by one observation at a time.

/** The distribution of a weight before any evidence. */
export interface Prior {
  mean: number;
  variance: number;
}

/** One measured sum of weights: `value` is the sum of `factor * weight` plus noise of variance `variance`. */
export interface Observation {
  terms: Term[];
  value: number;
  variance: number;
}

export interface Term {
  name: string;
  factor: number;
}

/**
 * Only weights with evidence are in the dense block. All others have their prior, and are independent of each other and of these; so leaving them
 * out is exact.
 */
export interface Posterior {
  prior(name: string): Prior;
  /** Slot of each weight with evidence. */
  slots: Map<string, number>;
  means: Float64Array;
  /** Row-major, `stride` numbers in a row. */
  covariance: Float64Array;
  stride: number;
}

// A step takes quadratic time and a factor cubic time: 3 ms for a factor of 256 weights. A catalogue of 3,200 films has as many traits.
export const MAX_WEIGHTS = 256;
const FIRST_STRIDE = 32;

export function createPosterior(prior: (name: string) => Prior): Posterior {
  const stride = FIRST_STRIDE;
  return {
    prior,
    slots: new Map(),
    means: new Float64Array(stride),
    covariance: new Float64Array(stride * stride),
    stride,
  };
}

/** The weight's slot; a new one starts at its prior. */
function slotOf(state: Posterior, name: string, keep: Term[]): number {
  const known = state.slots.get(name);
  if (known !== undefined) return known;
  let slot = state.slots.size;
  if (slot >= MAX_WEIGHTS) slot = evict(state, keep);
  else if (slot >= state.stride) grow(state);
  const { mean, variance } = state.prior(name);
  state.slots.set(name, slot);
  state.means[slot] = mean;
  for (let other = 0; other < state.stride; other += 1) {
    state.covariance[slot * state.stride + other] = 0;
    state.covariance[other * state.stride + slot] = 0;
  }
  state.covariance[slot * state.stride + slot] = variance;
  return slot;
}

function grow(state: Posterior): void {
  const stride = Math.min(MAX_WEIGHTS, state.stride * 2);
  const covariance = new Float64Array(stride * stride);
  for (let row = 0; row < state.stride; row += 1) {
    covariance.set(state.covariance.subarray(row * state.stride, (row + 1) * state.stride), row * stride);
  }
  const means = new Float64Array(stride);
  means.set(state.means);
  Object.assign(state, { stride, covariance, means });
}

/** Frees the slot of the weight with the least evidence; dropping a weight from a Gaussian is dropping its row and column. */
function evict(state: Posterior, keep: Term[]): number {
  let weakest: { name: string; slot: number; learned: number } | undefined;
  for (const [name, slot] of state.slots) {
    if (keep.some((term) => term.name === name)) continue;
    const { mean, variance } = state.prior(name);
    const now = state.covariance[slot * state.stride + slot] as number;
    // The terms of the Kullback-Leibler divergence from the prior that grow with the difference.
    const learned = ((state.means[slot] as number) - mean) ** 2 / variance + Math.log(variance / now);
    if (!weakest || learned < weakest.learned) weakest = { name, slot, learned };
  }
  if (!weakest) throw new Error(`An observation has more than ${MAX_WEIGHTS} weights.`);
  state.slots.delete(weakest.name);
  return weakest.slot;
}

/** Mean and variance of a sum of weights, with evidence or not. */
export function predict(state: Posterior, terms: Term[]): { mean: number; variance: number } {
  const { covariance, means, slots, stride } = state;
  let mean = 0;
  let variance = 0;
  for (const { name, factor } of terms) {
    const row = slots.get(name);
    if (row === undefined) {
      const prior = state.prior(name);
      mean += factor * prior.mean;
      variance += factor * factor * prior.variance;
      continue;
    }
    mean += factor * (means[row] as number);
    for (const other of terms) {
      const column = slots.get(other.name);
      if (column !== undefined) variance += factor * other.factor * (covariance[row * stride + column] as number);
    }
  }
  return { mean, variance };
}

/**
 * One step of Bayesian linear regression, which is the measurement update of a Kalman filter whose state is the weights (Kalman 1960; Murphy
 * 2012, "Machine Learning", 7.6 and 18.2.3). After all observations, in any order, the result is that of the batch solution.
 */
export function observe(state: Posterior, { terms, value, variance }: Observation): void {
  for (const { name } of terms) slotOf(state, name, terms);
  const { covariance, means, stride } = state;
  const size = state.slots.size;
  // Covariance of each weight with the measured sum.
  const gain = new Float64Array(size);
  let mean = 0;
  let spread = variance;
  for (const { name, factor } of terms) {
    const slot = state.slots.get(name) as number;
    mean += factor * (means[slot] as number);
    // The covariance is symmetric: its row is its column, and contiguous.
    for (let i = 0; i < size; i += 1)
      gain[i] = (gain[i] as number) + factor * (covariance[slot * stride + i] as number);
  }
  for (const { name, factor } of terms) spread += factor * (gain[state.slots.get(name) as number] as number);
  const step = (value - mean) / spread;
  for (let i = 0; i < size; i += 1) {
    const share = (gain[i] as number) / spread;
    means[i] = (means[i] as number) + (gain[i] as number) * step;
    if (share === 0) continue;
    const row = i * stride;
    for (let j = 0; j < size; j += 1) {
      // The product commutes, so that both halves stay equal to the last bit.
      covariance[row + j] = (covariance[row + j] as number) - ((gain[i] as number) * (gain[j] as number)) / spread;
    }
  }
}

/**
 * Decays the weights towards their prior: each is an Ornstein-Uhlenbeck process (Uhlenbeck & Ornstein 1930) whose stationary distribution is the
 * prior. The share `kept` of a mean's deviation from the prior is left, and its square of the covariance.
 */
export function relax(state: Posterior, kept: number): void {
  if (kept >= 1) return;
  const { covariance, means, stride } = state;
  const size = state.slots.size;
  const square = kept * kept;
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) covariance[i * stride + j] = (covariance[i * stride + j] as number) * square;
  }
  for (const [name, slot] of state.slots) {
    const { mean, variance } = state.prior(name);
    means[slot] = mean + kept * ((means[slot] as number) - mean);
    const own = slot * stride + slot;
    covariance[own] = (covariance[own] as number) + (1 - square) * variance;
  }
}

/**
 * The lower triangle L with L L' = covariance (Cholesky; Golub & Van Loan 2013, 4.2), row-major, `slots.size` numbers in a row. A pivot that
 * rounding made negative counts as zero.
 */
export function factorOf({ covariance, stride, slots }: Posterior): Float64Array {
  const size = slots.size;
  const factor = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = covariance[i * stride + j] as number;
      for (let k = 0; k < j; k += 1) sum -= (factor[i * size + k] as number) * (factor[j * size + k] as number);
      if (i === j) factor[i * size + i] = Math.sqrt(Math.max(0, sum));
      else {
        const pivot = factor[j * size + j] as number;
        factor[i * size + j] = pivot > 0 ? sum / pivot : 0;
      }
    }
  }
  return factor;
}

/** Draws all weights with evidence, by slot, for Thompson sampling (Thompson 1933; Chapelle & Li 2011). `normal` draws from the standard normal distribution. */
export function sample({ means, slots }: Posterior, factor: Float64Array, normal: () => number): Float64Array {
  const size = slots.size;
  const noise = Float64Array.from({ length: size }, normal);
  const drawn = means.slice(0, size);
  for (let i = 0; i < size; i += 1) {
    let sum = 0;
    for (let j = 0; j <= i; j += 1) sum += (factor[i * size + j] as number) * (noise[j] as number);
    drawn[i] = (drawn[i] as number) + sum;
  }
  return drawn;
}

/** Draws from the standard normal distribution, given uniform draws from 0 to 1 (Box & Muller 1958). */
export function normalOf(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
