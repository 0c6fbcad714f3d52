// Tail probabilities and quantiles of the normal and the chi-square distribution, accurate in the far tail; pure.
import erfc from "@stdlib/math-base-special-erfc";
import gammainc from "@stdlib/math-base-special-gammainc";
import gammaincinv from "@stdlib/math-base-special-gammaincinv";

/** P(Z > z) of a standard normal variable. */
export function normalTail(z: number): number {
  return erfc(z / Math.SQRT2) / 2;
}

/** P(X > x) of a chi-square variable. */
export function chiSquareTail(x: number, degrees: number): number {
  // Not 1 minus the distribution function: a p-value of 1e-25 would be 0.
  return x <= 0 ? 1 : gammainc(x / 2, degrees / 2, true, true);
}

/** The value that a chi-square variable exceeds with probability `p`. */
export function chiSquareQuantile(p: number, degrees: number): number {
  return 2 * gammaincinv(p, degrees / 2, true);
}
