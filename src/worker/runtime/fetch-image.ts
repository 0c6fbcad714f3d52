// Fetches an image from a URL, with a typed error for each way in which that can fail.
import { asInsituError, InsituError } from "../../shared/errors.js";

/**
 * `base` is the page's base URL. Throws `input_invalid` for a URL that is not valid, has a scheme that the browser does not fetch, or is
 * a `blob:` or `data:` URL that cannot be read; `http_4xx`, `http_5xx`; `network`, also where another origin's server does not allow the
 * page to read the image; and `aborted`.
 */
export async function fetchImage(given: string, base?: string, signal?: AbortSignal): Promise<Blob> {
  const url = resolve(given, base);
  let response: Response;
  try {
    response = await fetch(url, { signal });
    if (response.ok) return await response.blob();
  } catch (error) {
    throw await fetchError(error, url, signal);
  }
  throw new InsituError(
    response.status >= 500 ? "http_5xx" : "http_4xx",
    `Fetching the image ${short(url)} failed with HTTP ${response.status}.`,
    { url: short(url), status: response.status },
  );
}

function resolve(url: string, base?: string): string {
  try {
    return new URL(url, base).href;
  } catch (error) {
    throw asInsituError(error, "input_invalid", `Cannot fetch an image from "${short(url)}": it is not a valid URL`);
  }
}

// Pages of extensions and apps have a scheme of their own; these never work.
const OTHER_SCHEMES = /^(ftp|file|about|javascript|mailto|ws|wss|filesystem):/;

async function fetchError(error: unknown, url: string, signal?: AbortSignal): Promise<InsituError> {
  if (signal?.aborted) return new InsituError("aborted", "The call was aborted.", {}, { cause: signal.reason });
  const data = { url: short(url) };
  if (OTHER_SCHEMES.test(url)) {
    const message = `Cannot fetch an image from ${data.url}. Pass an http(s), blob: or data: URL`;
    return asInsituError(error, "input_invalid", message, data);
  }
  if (/^(blob|data):/.test(url)) {
    const message = `Could not read the image ${data.url}. A blob: URL must not be revoked before the prediction has resolved`;
    return asInsituError(error, "input_invalid", message, data);
  }
  if (await isBlockedByCors(url, signal)) {
    const message = `Could not read the image ${data.url}: its server does not allow this page's origin. Serve it with the header Access-Control-Allow-Origin; an img element of it then also needs the attribute crossorigin`;
    return asInsituError(error, "network", message, data);
  }
  return asInsituError(error, "network", `Could not fetch the image ${data.url}`, data);
}

/** A CORS failure looks like any other network failure, but the same request without CORS succeeds. */
async function isBlockedByCors(url: string, signal?: AbortSignal): Promise<boolean> {
  if (new URL(url).origin === self.origin) return false;
  try {
    const response = await fetch(url, { mode: "no-cors", signal });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

/** A data: URL holds the whole image. */
function short(url: string): string {
  return url.length > 200 ? `${url.slice(0, 200)}…` : url;
}
