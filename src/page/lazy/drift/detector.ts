// What the detectors of change have in common: values in, a detection out, and a state that can be stored.

/** A change that a detector found, with what led to it. */
export interface Detection {
  /** What the detector compared with `threshold`. */
  statistic: number;
  threshold: number;
  /** Mean of the values before the change, by the detector's estimate of where it was. */
  before: number;
  /** Mean of the values after it. */
  after: number;
  /** How many values came after it. */
  since: number;
}

/** Takes values from 0 to 1, one by one. */
export interface Detector {
  /** Returns the change that this value shows, if any; the detector starts again then. */
  update(value: number): Detection | undefined;
  /** Forgets all values. */
  reset(): void;
  /** Plain numbers, of bounded size: with them a new detector goes on where this one is. */
  state(): number[];
  /** The highest statistic since the last reset, less what is normal, as a share of its threshold: 1 is a detection. */
  level(): number;
}
