// Reads the reference profile from a package's insitu.json; pure.
import { HttpError } from "../errors.js";

export interface ReferenceProfile {
  model: string;
  version: string;
  /** Inputs that it was counted from. */
  samples: number;
  /** Share of missing values by feature. */
  missing: Record<string, number>;
  /** Shares of 20 bins of confidence. */
  confidence?: number[];
  classes?: number[];
}

/** Bytes of a manifest: the library's limit. */
export const MAX_MANIFEST_BYTES = 1024 * 1024;

/** Throws `HttpError` 400 that names the field. */
export function readProfile(text: string): ReferenceProfile {
  let manifest: Record<string, unknown>;
  try {
    manifest = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new HttpError(400, `The manifest is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const { name, version, reference } = isObject(manifest) ? manifest : {};
  if (typeof name !== "string" || typeof version !== "string")
    throw new HttpError(400, 'The manifest must have the fields "name" and "version".');
  if (!isObject(reference))
    throw new HttpError(400, `${name} ${version} has no reference profile: make one with "insitu reference".`);
  const { samples, features, confidence, classes } = reference;
  if (!Number.isSafeInteger(samples) || (samples as number) < 1)
    throw new HttpError(400, `The field "reference.samples" of ${name} ${version} must be an integer, 1 or more.`);
  const shares = (field: string, value: unknown, size?: number) => {
    if (value === undefined) return undefined;
    const isFine =
      Array.isArray(value) &&
      value.length > 1 &&
      (size === undefined || value.length === size) &&
      value.every((one) => typeof one === "number" && one >= 0 && one <= 1) &&
      value.some((one) => one > 0);
    if (!isFine)
      throw new HttpError(400, `The field "reference.${field}" of ${name} ${version} must be shares from 0 to 1.`);
    return value as number[];
  };
  const missing = missingOf(features, `${name} ${version}`);
  if (Object.keys(missing).length === 0 && confidence === undefined && classes === undefined)
    throw new HttpError(
      400,
      `The reference profile of ${name} ${version} has no features, confidence or classes, so nothing could be compared with it: make it anew with "insitu reference".`,
    );
  return {
    model: name,
    version,
    samples: samples as number,
    missing,
    confidence: shares("confidence", confidence, 20),
    classes: shares("classes", classes),
  };
}

function missingOf(features: unknown, of: string): Record<string, number> {
  if (features === undefined) return {};
  if (!Array.isArray(features)) throw new HttpError(400, `The field "reference.features" of ${of} must be an array.`);
  return Object.fromEntries(
    features.map((feature, i) => {
      const { name, missing = 0 } = isObject(feature) ? feature : {};
      if (typeof name !== "string" || name === "")
        throw new HttpError(400, `The field "reference.features[${i}].name" of ${of} must be the feature's name.`);
      if (typeof missing !== "number" || !(missing >= 0 && missing < 1))
        throw new HttpError(400, `The field "reference.features[${i}].missing" of ${of} must be a share below 1.`);
      return [name, missing];
    }),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
