// Whether the browser runs on iOS or iPadOS, where pages have less memory and every browser is WebKit.

/** iPadOS reports itself as a Mac; a Mac has no touch screen. */
export function isIos(): boolean {
  const { userAgent = "", maxTouchPoints = 0 } = (globalThis.navigator ?? {}) as {
    userAgent?: string;
    maxTouchPoints?: number;
  };
  return /iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1);
}
