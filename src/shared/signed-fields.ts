// The fields that manifests and channels have in common: the model's name, times, signatures.
import { type At, list, matching, object, own, refuse, show, text, under } from "./json-fields.js";
import type { SignatureSpec } from "./types/manifest.js";

const NAME = /^[a-z0-9][a-z0-9._-]*$/i;
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export const modelName = (value: unknown, at: At): string =>
  matching(value, NAME, "a name of letters, digits, dots, dashes and underscores", at);

export const isIsoTime = (text: string): boolean => ISO_TIME.test(text) && !Number.isNaN(Date.parse(text));

export function isoTime(value: unknown, at: At): string {
  const time = matching(value, ISO_TIME, "an ISO 8601 time such as 2026-01-31T12:00:00Z", at);
  return Number.isNaN(Date.parse(time)) ? refuse(at, `is not a date: ${show(value)}`) : time;
}

export function parseSignatures(value: unknown, at: At): SignatureSpec[] {
  return list(value, at).map((item, index) => {
    const here = under(at, index);
    const given = object(item, here);
    return {
      keyId: text(own(given, "keyId"), under(here, "keyId")),
      algorithm: text(own(given, "algorithm"), under(here, "algorithm")),
      signature: matching(own(given, "signature"), BASE64, "base64", under(here, "signature")),
    };
  });
}
