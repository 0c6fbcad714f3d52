// The telemetry panel: what is sent to the site's collector, and the visitor's consent.
import type { Client } from "insitu";
import { byId, make } from "./dom.js";

export interface TelemetryPanel {
  use(client: Client): void;
  refresh(): void;
}

// The numbers change in the background, so they are updated at this interval while the page is visible.
const REFRESH_MS = 2000;

export function createTelemetryPanel(collector: string | null): TelemetryPanel {
  const panel = byId("telemetry", HTMLElement);
  if (!collector) {
    panel.replaceChildren(make("p", "", "Off. This page has no collector, so nothing is recorded or sent."));
    return { use: () => undefined, refresh: () => undefined };
  }
  let client: Client | undefined;
  const counts = make("p");
  const allow = make("input");
  allow.type = "checkbox";
  allow.checked = true;
  const send = make("button", "button", "Send now");
  send.type = "button";
  const link = make("a", "", "Open the collector");
  link.href = new URL("/dashboard/", collector).href;
  const about = make(
    "p",
    "",
    "Sent: durations, error codes, backend and model. Never sent: pictures, results or your identity.",
  );
  panel.replaceChildren(make("label", "", allow, "Send performance data"), about, counts, send, link);

  const refresh = () => {
    if (client) counts.textContent = inWords(client, allow.checked);
  };
  const consent = () => client?.telemetry.setConsent(allow.checked ? "granted" : "denied");
  allow.addEventListener("change", () => {
    consent();
    refresh();
  });
  send.addEventListener("click", async () => {
    await client?.telemetry.flush();
    refresh();
  });
  setInterval(() => {
    if (document.visibilityState === "visible") refresh();
  }, REFRESH_MS);

  return {
    refresh,
    use(next) {
      client = next;
      consent();
      refresh();
    },
  };
}

function inWords(client: Client, allowed: boolean): string {
  const { recorded, sent, pending, dropped } = client.telemetry.stats();
  const losses = Object.entries(dropped).map(([reason, count]) => `${count} dropped (${reason})`);
  const parts = [`${recorded} recorded`, `${sent} sent`, `${pending} waiting`, ...losses];
  return `${allowed ? "On" : "Off"}: ${parts.join(", ")}.`;
}
