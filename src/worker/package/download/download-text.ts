// Fetches a small text of unknown size: cut off at a limit, and tried again when the network fails.
import { InsituError } from "../../../shared/errors.js";
import type { Platform } from "../platform.js";
import { createBackoff } from "./backoff.js";
import { type RequestOptions, request } from "./http.js";

/**
 * Rejects as a request does, and with `model_too_large` as soon as more than `max` bytes came, after decompression.
 * @param cache - `no-cache`: by the browser's own cache, which asks the host whether its copy is still good.
 */
export function downloadText(
  url: string,
  max: number,
  signal: AbortSignal,
  ports: Platform,
  cache?: RequestOptions["cache"],
): Promise<string> {
  return createBackoff(ports, signal).retry(async () => {
    const { body } = await request(url, { signal, cache }, ports);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let received = 0;
    for await (const bytes of body) {
      received += bytes.length;
      if (received > max) {
        const message = `${url} is larger than ${max} bytes, the maximum for such a file.`;
        throw new InsituError("model_too_large", message, { url, max });
      }
      parts.push(bytes);
    }
    return new Blob(parts).text();
  });
}
