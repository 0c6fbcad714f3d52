// Random numbers from a seed, so that a simulation that fails can be repeated.

export interface Random {
  /** 0 to 1. */
  next(): number;
  isTrue(probability: number): boolean;
  normal(): number;
  /** An integer from 0 to below `end`. */
  below(end: number): number;
}

/** SplitMix32. */
export function randomOf(seed: number): Random {
  // Not a multiple of the step below: the sequences of two seeds would be parts of one.
  let state = Math.imul(seed ^ 0x5bd1e995, 0x85ebca6b) ^ (seed << 16);
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    isTrue: (probability) => next() < probability,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    below: (end) => Math.floor(next() * end),
  };
}
