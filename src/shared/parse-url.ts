// Parses addresses that may be invalid.

/**
 * The parsed address, or undefined when it is invalid. Not `URL.canParse`: Chrome has that from 120 on only, and polyfills that
 * replace `URL` (core-js, which tf.min.js brings) lack it.
 * @param base - What a relative address is relative to.
 */
export function parseUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
