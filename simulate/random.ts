// Seeded random numbers of the distributions that the simulation draws from.
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

export interface Random {
  /** 0 (included) to 1 (excluded). */
  uniform(): number;
  /** Mean 0, standard deviation 1 (Box and Muller 1958). */
  normal(): number;
  chance(probability: number): boolean;
  /** Number of successes of `n` independent trials. */
  binomial(n: number, probability: number): number;
  /** For small means (Knuth 1969). */
  poisson(mean: number): number;
}

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const uniform = () => uniformFloat64(generator);
  const chance = (probability: number) => uniform() < probability;
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    chance,
    binomial(n, probability) {
      let successes = 0;
      for (let i = 0; i < n; i += 1) if (chance(probability)) successes += 1;
      return successes;
    },
    poisson(mean) {
      const limit = Math.exp(-mean);
      let [count, product] = [0, uniform()];
      while (product > limit) {
        count += 1;
        product *= uniform();
      }
      return count;
    },
  };
}
