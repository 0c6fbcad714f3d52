// What the simulation assumes of visitors, versions and labels.

/** How a version behaves. */
export interface Behaviour {
  /** Share of correct predictions. */
  accuracy: number;
  /** Median of a prediction on an average device, in milliseconds. */
  latency: number;
  /** Share of predictions that fail. */
  failures: number;
}

export interface World {
  pages: number;
  days: number;
  /** Chance that a page is opened on a day. */
  visits: number;
  /** Mean number of predictions of a visit, at least 1. */
  predictions: number;
  /** Share of predictions whose truth the page learns. */
  labels: number;
  /** Share of predictions whose truth the site's own backend learns and reports with its trusted key. */
  trustedLabels: number;
  /** Percent of the browsers for the canary. */
  weight: number;
  stable: Behaviour;
  canary: Behaviour;
  /** Share of pages that report that the canary is always right and the stable version always wrong. */
  liars: number;
  /** The first day on which inputs are darker: a value at quantile u is then at u to the power of `shift`. */
  shiftAt?: number;
  shift: number;
}

export const STABLE: Behaviour = { accuracy: 0.92, latency: 20, failures: 0.002 };

/** Two thousand pages over thirty days; a page is opened on two days of five and predicts ten times. */
export const WORLD: World = {
  pages: 2_000,
  days: 30,
  visits: 0.4,
  predictions: 10,
  labels: 0.05,
  trustedLabels: 0,
  weight: 5,
  stable: STABLE,
  canary: STABLE,
  liars: 0,
  shift: 1.6,
};

// Of the site's labels; chosen so that one page's predictions resemble each other, as those of one device do.
/** Standard deviation of a device's accuracy around its version's. */
export const ACCURACY_SPREAD = 0.03;
/** Standard deviation of the logarithm of a device's speed: two thirds are within half and twice the median. */
export const SPEED_SPREAD = 0.6;
/** Of one prediction's time around its device's. */
export const TIME_SPREAD = 0.2;
