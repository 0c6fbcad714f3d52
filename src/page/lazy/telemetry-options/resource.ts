// The resource of all telemetry: the site's service and the kind of browser, nothing that identifies a visitor.

import type { TelemetryOptions } from "../telemetry/types.js";

interface UserAgentData {
  brands?: { brand: string; version: string }[];
  mobile?: boolean;
  platform?: string;
}

export function createResource({ service }: TelemetryOptions): Record<string, string> {
  const { userAgentData } = (globalThis.navigator ?? {}) as { userAgentData?: UserAgentData };
  const { brands, mobile, platform } = userAgentData ?? {};
  return {
    "service.name": service?.name ?? "unknown_service",
    ...(service?.version && { "service.version": service.version }),
    "telemetry.sdk.name": "insitu",
    "telemetry.sdk.language": "webjs",
    ...(brands && { "browser.brands": brands.map(({ brand, version }) => `${brand} ${version}`).join(", ") }),
    ...(mobile !== undefined && { "browser.mobile": String(mobile) }),
    ...(platform && { "browser.platform": platform }),
  };
}
