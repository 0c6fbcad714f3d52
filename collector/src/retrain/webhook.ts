// Sends one signed webhook, and reads from the response what became of it. Redirects are not followed.
import { createHmac } from "node:crypto";
import type { WebhookConfig } from "./config.js";
import type { Run } from "./run.js";

/** `retry`: it may succeed later. `refused`: it will not, until a person has changed something. */
export interface Sent {
  result: "ok" | "retry" | "refused";
  /** HTTP status; null without a response. */
  status: number | null;
  detail: string;
  durationMs: number;
  /** Milliseconds that the receiver asked to wait. */
  after?: number;
}

/** The body of the webhook. The same run has the same body in each attempt. */
function bodyOf({ id, model, version, trigger, evidence, firedAt }: Run): string {
  return JSON.stringify({ id, model, version, trigger, evidence, at: new Date(firedAt).toISOString() });
}

/** The value of `x-insitu-signature`. */
function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

const RETRY = new Set([408, 425, 429, 500, 502, 503, 504]);
const MAX_DETAIL = 200;

export async function sendWebhook(run: Run, config: WebhookConfig, ended: AbortSignal): Promise<Sent> {
  const { url, secret, headers, timeout } = config;
  const body = bodyOf(run);
  const started = performance.now();
  const sent = (result: Sent["result"], status: number | null, detail: string, after?: number): Sent => ({
    result,
    status,
    detail,
    durationMs: Math.round(performance.now() - started),
    ...(after !== undefined && { after }),
  });
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: {
        ...headers,
        "content-type": "application/json",
        "idempotency-key": run.id,
        "x-insitu-signature": signatureOf(body, secret),
      },
      // Another address than the operator's must get neither the body nor the headers.
      redirect: "manual",
      signal: AbortSignal.any([AbortSignal.timeout(timeout), ended]),
    });
    const { status } = response;
    // The status says it all; a body may be endless.
    if (response.ok) {
      void response.body?.cancel().catch(() => undefined);
      return sent("ok", status, "");
    }
    const text = await beginningOf(response);
    if (status >= 300 && status < 400)
      return sent("refused", status, `It redirects to ${response.headers.get("location")}; give the final address.`);
    if (RETRY.has(status)) return sent("retry", status, text, delayOf(response));
    return sent("refused", status, text);
  } catch (error) {
    return sent("retry", null, ended.aborted ? "the collector ended" : reasonOf(error, timeout));
  }
}

async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_DETAIL) break;
  }
  return text.slice(0, MAX_DETAIL);
}

/** `Retry-After` in seconds, or a date: that one counts from the response's own `Date`, since either clock may be wrong. */
function delayOf({ headers }: Response): number | undefined {
  const text = headers.get("retry-after");
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const from = Date.parse(headers.get("date") ?? "");
  const ms = Date.parse(text) - (Number.isNaN(from) ? Date.now() : from);
  return ms >= 0 ? ms : undefined;
}

function reasonOf(error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no response within ${timeout} ms`;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return [error.message, cause?.code ?? cause?.message].filter(Boolean).join(": ").slice(0, MAX_DETAIL);
}
