// The example's backend: keeps labelled digits of those who agreed to it, exports them, and tells the collector which predictions were right.
import { timingSafeEqual } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { checkLabel, type LabelledDigit, parseLabels } from "../steps/labels.js";
import { createOutcomes, type Outcomes, type Predicted } from "./outcomes.js";

export interface BackendOptions {
  /** The file of labelled digits, one JSON object a line. */
  file: string;
  /** For the export. */
  token: string;
  collector: string;
  /** One of the collector's `--trusted-key`. */
  trustedKey: string;
}

export interface Backend {
  /** Answers `POST /digits` and `GET /labels`; false for other requests. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  labels(): readonly LabelledDigit[];
  outcomes: Outcomes;
  close(): Promise<void>;
}

const MAX_BYTES = 16 * 1024;

export function createBackend({ file, token, collector, trustedKey }: BackendOptions): Backend {
  const labels = new Map(
    (existsSync(file) ? parseLabels(readFileSync(file, "utf8")) : []).map((one) => [one.id, one] as const),
  );
  const outcomes = createOutcomes(collector, trustedKey);

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = (status: number, text = "") => void response.writeHead(status).end(text && `${text}\n`);
    const body = await readBody(request);
    if (body === undefined) return answer(413, `A labelled digit has at most ${MAX_BYTES} bytes.`);
    let digit: LabelledDigit;
    let predicted: Predicted;
    try {
      const given = JSON.parse(body) as Record<string, unknown>;
      // Without it the input stays in the page, as all inputs do.
      if (given.consent !== true) return answer(403, "Digits are kept only of people who agreed to it.");
      digit = checkLabel({ id: given.id, pixels: given.pixels, label: given.label, at: Date.now() });
      predicted = checkPredicted(given.predicted);
    } catch (error) {
      return answer(400, error instanceof Error ? error.message : String(error));
    }
    // The same digit sent twice is one label.
    if (!labels.has(digit.id)) {
      appendFileSync(file, `${JSON.stringify(digit)}\n`);
      labels.set(digit.id, digit);
      outcomes.add(predicted, predicted.class === digit.label);
    }
    answer(204);
  };

  return {
    outcomes,
    labels: () => [...labels.values()],
    handle(request, response) {
      const path = new URL(request.url ?? "/", "http://localhost").pathname;
      if (request.method === "POST" && path === "/digits") {
        void take(request, response).catch(() => response.destroy());
        return true;
      }
      if (request.method !== "GET" || path !== "/labels") return false;
      if (!isToken(request.headers.authorization, token))
        response.writeHead(401).end("The token is missing or wrong.\n");
      else
        response
          .writeHead(200, { "content-type": "application/x-ndjson" })
          .end([...labels.values()].map((one) => `${JSON.stringify(one)}\n`).join(""));
      return true;
    },
    close: () => outcomes.close(),
  };
}

function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? "");
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function checkPredicted(value: unknown): Predicted {
  const { class: predicted, version, arm } = (value ?? {}) as Record<string, unknown>;
  if (!Number.isInteger(predicted)) throw new Error('"predicted.class" must be a class');
  if (typeof version !== "string" || !/^[\w.+-]{1,64}$/.test(version))
    throw new Error('"predicted.version" must be the version of the model');
  if (arm !== "stable" && arm !== "canary") throw new Error('"predicted.arm" must be "stable" or "canary"');
  return { class: predicted as number, version, arm };
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) {
    text += part;
    // Read to its end, so that the page gets the answer; what is endless is cut.
    if (text.length > 64 * MAX_BYTES) throw new Error("The body has no end.");
  }
  return text.length > MAX_BYTES ? undefined : text;
}
