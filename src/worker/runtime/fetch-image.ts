// Fetches an image from a URL, with a typed error for each way in which that can fail.
import { asInsituError, InsituError } from "../../shared/errors.js";

/**
 * The page has checked the URL's scheme. Throws `aborted`, `http_4xx`, `http_5xx`, `network` (also where the other origin's server does
 * not allow the page to read the image), or `input_invalid` for a `blob:` or `data:` URL that cannot be read.
 */
export async function fetchImage(url: string, signal?: AbortSignal): Promise<Blob> {
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

async function fetchError(error: unknown, url: string, signal?: AbortSignal): Promise<InsituError> {
  if (signal?.aborted) return new InsituError("aborted", "The call was aborted.", {}, { cause: signal.reason });
  const data = { url: short(url) };
  if (/^(blob|data):/i.test(url)) {
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
