// Fetches a small text of unknown size: cut off at a limit, and tried again when the network fails.
import { InsituError } from "../../../shared/errors.js";
import type { Platform } from "../platform.js";
import { createBackoff } from "./backoff.js";
import { request } from "./http.js";

/** Rejects as a request does, and with `model_too_large` as soon as more than `max` bytes came, after decompression. */
export function downloadText(url: string, max: number, signal: AbortSignal, ports: Platform): Promise<string> {
  return createBackoff(ports, signal).retry(async () => {
    const { body } = await request(url, { signal }, ports);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let received = 0;
    for await (const bytes of body) {
      received += bytes.length;
      if (received > max) {
        const message = `${url} is larger than ${max} bytes, the maximum for a manifest.`;
        throw new InsituError("model_too_large", message, { url, max });
      }
      parts.push(bytes);
    }
    return new Blob(parts).text();
  });
}
