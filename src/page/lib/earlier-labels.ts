// The labels of versions that ran before in this page: feedback on their predictions names labels that the version of now may not have.

const labelsOf = new WeakMap<object, Map<string, readonly string[]>>();

/** A version that is left. `info` is the model's own object, which the next version takes over. */
export function keepLabels(info: object, version: string, labels: readonly string[]): void {
  const versions = labelsOf.get(info) ?? new Map<string, readonly string[]>();
  labelsOf.set(info, versions.set(version, labels));
}

/** By version. */
export const earlierLabels = (info: object): ReadonlyMap<string, readonly string[]> => labelsOf.get(info) ?? new Map();
