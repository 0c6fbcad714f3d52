// Checks the options of telemetry, and brings endpoint and headers into the form that requests need.
import { InsituError } from "../../../shared/errors.js";
import { invalidOption } from "../../../shared/invalid-option.js";
import { parseUrl } from "../../../shared/parse-url.js";
import { checkNumber, checkOneOf, checkType } from "../../lib/check-option.js";
import type { CheckedTelemetryOptions, TelemetryOptions } from "../telemetry/types.js";
import { createResource } from "./resource.js";

const ONE_OF: [option: keyof TelemetryOptions, allowed: unknown[]][] = [
  ["protocol", ["otlp", "beacon"]],
  ["consent", ["granted", "pending", "denied"]],
  ["histogram", ["explicit", "exponential"]],
  ["globalPrivacyControl", ["aggregates", "off"]],
  ["keepalive", ["auto", false]],
];

const TYPES: [option: keyof TelemetryOptions, type: Parameters<typeof checkType>[2]][] = [
  ["exporter", "function"],
  ["beforeSend", "function"],
  ["otel", "object"],
  ["service", "object"],
  ["privacy", "object"],
  ["writeKey", "string"],
  ["classes", "boolean"],
  ["messages", "boolean"],
];

/** Returns the options with the endpoint's base URL, lower-case headers and the resource. Throws `input_invalid` that names the option. */
export function checkTelemetryOptions(options: TelemetryOptions): CheckedTelemetryOptions {
  const { endpoint, exporter, otel, headers } = options;
  if (!endpoint && !exporter && !otel) {
    const message = "telemetry has no endpoint, exporter or otel; pass one of them, or leave telemetry out.";
    throw new InsituError("input_invalid", message, { option: "telemetry.endpoint" });
  }
  for (const [option, allowed] of ONE_OF) checkOneOf(`telemetry.${option}`, options[option], [undefined, ...allowed]);
  for (const [option, type] of TYPES) checkType(`telemetry.${option}`, options[option], type);
  checkNumbers(options);
  checkService(options);
  checkInstruments(options);
  return {
    ...options,
    ...(endpoint && { endpoint: baseUrl(endpoint) }),
    ...(headers && { headers: readHeaders(headers) }),
    resource: createResource(options),
  };
}

function checkNumbers({ sampling, flushInterval, privacy }: TelemetryOptions): void {
  checkNumber("telemetry.sampling", sampling);
  if (Number(sampling) > 1) throw invalidOption("telemetry.sampling", sampling, "a share from 0 to 1");
  checkNumber("telemetry.flushInterval", flushInterval, true);
  if (privacy) checkNumber("telemetry.privacy.epsilon", privacy.epsilon ?? null, true);
}

function checkService({ service }: TelemetryOptions): void {
  if (service && !(service.name && typeof service.name === "string"))
    throw invalidOption("telemetry.service.name", service.name, "a string that is not empty");
  checkType("telemetry.service.version", service?.version, "string");
}

function checkInstruments({ otel }: TelemetryOptions): void {
  if (!otel) return;
  const { meter, logger } = otel;
  if (!meter && !logger) throw invalidOption("telemetry.otel", "without instruments", "a meter, a logger, or both");
  if (meter && !(isCallable(meter.createHistogram) && isCallable(meter.createCounter)))
    throw invalidOption("telemetry.otel.meter", meter, "a Meter of OpenTelemetry");
  if (logger && !isCallable(logger.emit))
    throw invalidOption("telemetry.otel.logger", logger, "a Logger of OpenTelemetry");
}

const isCallable = (value: unknown) => typeof value === "function";

/** What the paths of OTLP are added to; an endpoint is often given with one of them. */
function baseUrl(endpoint: unknown): string {
  const { document, location } = globalThis;
  const url = typeof endpoint === "string" ? parseUrl(endpoint, document?.baseURI ?? location?.href) : undefined;
  // `fetch` refuses a user and a password, which no message may hold either.
  if (!url || !["http:", "https:", location?.protocol].includes(url.protocol) || url.username || url.password) {
    const shown = String(endpoint).replace(/\/\/[^/]*@/, "//");
    throw invalidOption("telemetry.endpoint", shown, "the base URL of a collector, by http or https, without password");
  }
  const path = url.pathname.replace(/\/+$/, "").replace(/\/v1\/(metrics|logs|traces|beacon)$/, "");
  return url.origin === "null" ? `${url.protocol}//${url.host}${path}${url.search}` : url.origin + path + url.search;
}

function readHeaders(headers: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(new Headers(headers));
  } catch {
    // The values may be secret, so that no message holds them.
    const message = "telemetry.headers must have valid names and values.";
    throw new InsituError("input_invalid", message, { option: "telemetry.headers" });
  }
}
