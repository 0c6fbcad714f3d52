// Fetches a small text whose size nobody promised: cut off at a limit, and tried again when the network fails.
import { InsituError } from "../../../shared/errors.js";
import type { Platform } from "../platform.js";
import { createBackoff } from "./backoff.js";
import { request } from "./http.js";

/** At most `most` bytes after decompression: more is `model_too_large` before it is read to its end. Else throws as a request does. */
export function downloadText(url: string, most: number, signal: AbortSignal, ports: Platform): Promise<string> {
  return createBackoff(ports, signal).retry(async () => {
    const { body } = await request(url, { signal }, ports);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let received = 0;
    for await (const bytes of body) {
      received += bytes.length;
      if (received > most) {
        const message = `${url} is larger than ${most} bytes, the most a manifest may have.`;
        throw new InsituError("model_too_large", message, { url, most });
      }
      parts.push(bytes);
    }
    return new Blob(parts).text();
  });
}
