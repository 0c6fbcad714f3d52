// Reads what the server tells the page: where its collector is, if it has one.

export interface Config {
  /** Base URL of the collector, or null: then the page records and sends nothing. */
  collector: string | null;
}

/** Never rejects: a page without its configuration works, with telemetry off. */
export async function readConfig(): Promise<Config> {
  try {
    const response = await fetch("/config.json");
    if (!response.ok) return { collector: null };
    const { collector } = (await response.json()) as Partial<Config>;
    return { collector: typeof collector === "string" ? collector : null };
  } catch {
    return { collector: null };
  }
}
