// What is believed of a user's tastes: a Gaussian over named weights, changed by one observation at a time.

/** A weight that is believed in before anything was seen. */
export interface Prior {
  mean: number;
  variance: number;
}

/** One measured sum of weights: `value` is the sum of `factor * weight`, up to noise of `variance`. */
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
 * Only weights that were met are in the dense block. All others are as the prior says and independent of each other and of these, since
 * nothing has tied them yet; so leaving them out changes no number.
 */
export interface Posterior {
  prior(name: string): Prior;
  /** Slot of each weight that was met. */
  slots: Map<string, number>;
  means: Float64Array;
  /** Row by row, `stride` to a row. */
  covariance: Float64Array;
  stride: number;
}

// A step costs the square of it and a factor the cube: 256 are 3 ms for a factor here. A catalogue of 3,200 films has as many traits in all.
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
  if (slot >= MAX_WEIGHTS) slot = forgetLeast(state, keep);
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

/** Frees the slot of the weight of which least was learned; the rest of a Gaussian without it is the rest of its numbers. */
function forgetLeast(state: Posterior, keep: Term[]): number {
  let least: { name: string; slot: number; learned: number } | undefined;
  for (const [name, slot] of state.slots) {
    if (keep.some((term) => term.name === name)) continue;
    const { mean, variance } = state.prior(name);
    const now = state.covariance[slot * state.stride + slot] as number;
    // Of the two Gaussians' divergence, what grows with either difference.
    const learned = ((state.means[slot] as number) - mean) ** 2 / variance + Math.log(variance / now);
    if (!least || learned < least.learned) least = { name, slot, learned };
  }
  if (!least) throw new Error(`An observation of more than ${MAX_WEIGHTS} weights.`);
  state.slots.delete(least.name);
  return least.slot;
}

/** Mean and variance of a sum of weights, met or not. */
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
 * One step of Bayesian linear regression, which is the measurement step of a Kalman filter whose state is the weights (Kalman 1960; Murphy
 * 2012, "Machine Learning", 7.6 and 18.2.3). With all observations, in any order, it gives what the batch solution does.
 */
export function observe(state: Posterior, { terms, value, variance }: Observation): void {
  for (const { name } of terms) slotOf(state, name, terms);
  const { covariance, means, stride } = state;
  const size = state.slots.size;
  // How each weight goes along with the measured sum.
  const along = new Float64Array(size);
  let mean = 0;
  let spread = variance;
  for (const { name, factor } of terms) {
    const slot = state.slots.get(name) as number;
    mean += factor * (means[slot] as number);
    // The covariance is symmetric: its row is its column, and lies in one piece.
    for (let i = 0; i < size; i += 1)
      along[i] = (along[i] as number) + factor * (covariance[slot * stride + i] as number);
  }
  for (const { name, factor } of terms) spread += factor * (along[state.slots.get(name) as number] as number);
  const step = (value - mean) / spread;
  for (let i = 0; i < size; i += 1) {
    const share = (along[i] as number) / spread;
    means[i] = (means[i] as number) + (along[i] as number) * step;
    if (share === 0) continue;
    const row = i * stride;
    for (let j = 0; j < size; j += 1) {
      // The product commutes, so that both halves stay the same to the last bit.
      covariance[row + j] = (covariance[row + j] as number) - ((along[i] as number) * (along[j] as number)) / spread;
    }
  }
}

/**
 * Tastes wander: each weight is an Ornstein-Uhlenbeck process (Uhlenbeck and Ornstein 1930) that the prior is at rest in. After a time in
 * which a share `kept` of a deviation is left, the mean has gone back to the prior's by that share and the covariance by its square.
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
 * The lower triangle L with L L' = covariance (Cholesky; Golub and Van Loan 2013, 4.2), row by row, `slots.size` to a row. Where rounding has
 * made a pivot negative it counts as zero.
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

/** One draw of all weights that were met, by slot (Thompson 1933; Chapelle and Li 2011). `normal` draws from the standard normal. */
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

/** Draws from the standard normal out of draws from 0 to 1 (Box and Muller 1958). */
export function normalOf(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
