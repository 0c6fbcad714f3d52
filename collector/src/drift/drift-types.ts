// The response of `GET /v1/drift`.

export interface DriftReport {
  model: string;
  version: string;
  arm: string;
  /** A feature of the input, `<feature>.missing`, `confidence` or `classes`. */
  target: string;
  /** Values of the current window. */
  n: number;
  /** Epoch milliseconds: where the current window begins and ends. */
  from: number;
  to: number;
  /** The population stability index. */
  psi: number;
  /** The Jensen-Shannon distance, 0 to 1. */
  js: number;
  /** How far values moved, as a share of the range; of classes, which have no order, it says nothing. */
  wasserstein: number;
  chi2: { statistic: number; p: number };
  ks: { statistic: number; p: number };
  /** Of the PSI, for this many values. */
  threshold: number;
  /** The PSI is over its threshold, and the chi-square test's p-value, corrected for all targets (Holm), is below 0.0002. */
  isDrift: boolean;
  /**
   * Epoch milliseconds: the hour at which the distribution changed; null without drift. An estimate, to the hour: the one that parts best what
   * was before from what is now. With few values, or a slow shift, it is some hours off.
   */
  since: number | null;
  /** Shares of the bins. */
  reference: number[];
  current: number[];
}
