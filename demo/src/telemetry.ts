// Shows what is reported to the site's collector, and lets the visitor refuse it.
import type { Client } from "insitu";
import { byId, make } from "./dom.js";

export interface TelemetryPanel {
  use(client: Client): void;
  refresh(): void;
}

// Sending happens in the background, so the numbers are read again at this pace while the page is looked at.
const REFRESH_MS = 2000;

export function createTelemetryPanel(collector: string | null): TelemetryPanel {
  const panel = byId("telemetry", HTMLElement);
  if (!collector) {
    panel.replaceChildren(make("p", "", "Off: this page has no collector, so nothing is recorded or sent."));
    return { use: () => undefined, refresh: () => undefined };
  }
  let client: Client | undefined;
  const counts = make("p");
  const allow = make("input");
  allow.type = "checkbox";
  allow.checked = true;
  const send = make("button", "button", "Send now");
  send.type = "button";
  const link = make("a", "", "See what it received");
  link.href = new URL("/dashboard/", collector).href;
  const about = make(
    "p",
    "",
    "Durations, error codes, backend and model only: never a picture, a result or who you are.",
  );
  panel.replaceChildren(make("label", "", allow, "Report how fast predictions are"), about, counts, send, link);

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
  const lost = Object.entries(dropped).map(([reason, count]) => `${count} dropped (${reason})`);
  const parts = [`${recorded} recorded`, `${sent} sent`, `${pending} waiting`, ...lost];
  return `${allowed ? "On" : "Off, as you wish"}: ${parts.join(", ")}.`;
}
