// Sends one POST to a sink, with a timeout, and reads from the response what became of it.
import type { SendResult } from "./sink.js";

// A sink that is slower counts as down; the queue grows meanwhile.
const SEND_MS = 10_000;
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;
const RETRY = new Set([408, 429, 500, 502, 503, 504]);

interface PostOptions {
  headers: Record<string, string>;
  signal: AbortSignal;
}

/** `read` reads the response of a request that was accepted. */
export async function postTo(
  url: string,
  body: string,
  { headers, signal: outer }: PostOptions,
  read: (text: string) => SendResult = () => ({ kind: "done", failed: 0 }),
): Promise<SendResult> {
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(SEND_MS), outer]);
    // Another host must not get the operator's keys: a redirect counts as down.
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
    const text = await bounded(response);
    if (response.ok) return read(text);
    if (RETRY.has(response.status)) return { kind: "retry", after: delayOf(response.headers.get("retry-after")) };
    return { kind: "refused", reason: `HTTP ${response.status}: ${text.slice(0, 200)}` };
  } catch {
    // Down, disconnected, too slow, or the collector ends.
    return { kind: "retry" };
  }
}

async function bounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_RESPONSE_BYTES) break;
  }
  return text;
}

// A timer of more milliseconds than a 32-bit integer holds ends at once, and the sink would be asked without pause.
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Seconds or a date. */
function delayOf(text: string | null): number | undefined {
  if (!text) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms >= 0 ? Math.min(ms, MAX_DELAY_MS) : undefined;
}
