// One POST to a sink, with a deadline, and what its status means.
import type { Attempt } from "./sink.js";

// Whoever is slower than this is as good as away; the queue goes on growing meanwhile.
const SEND_MS = 10_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const RETRY = new Set([408, 429, 500, 502, 503, 504]);

/** `read` judges the answer of a request that was taken. */
export async function postTo(
  url: string,
  body: string,
  headers: Record<string, string>,
  read: (text: string) => Attempt = () => ({ kind: "done", failed: 0 }),
): Promise<Attempt> {
  try {
    const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(SEND_MS) });
    const text = await bounded(response);
    if (response.ok) return read(text);
    if (RETRY.has(response.status)) return { kind: "retry", after: delayOf(response.headers.get("retry-after")) };
    return { kind: "refused", reason: `HTTP ${response.status}: ${text.slice(0, 200)}` };
  } catch {
    // Away, broken off, or too slow.
    return { kind: "retry" };
  }
}

async function bounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_ANSWER_BYTES) break;
  }
  return text;
}

/** Seconds or a date. */
function delayOf(text: string | null): number | undefined {
  if (!text) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms >= 0 ? ms : undefined;
}
