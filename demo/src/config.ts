// Reads the page's configuration from the server: the address of the collector, if there is one.

export interface Config {
  /** Base URL of the collector. If it is null, the page records and sends nothing. */
  collector: string | null;
}

/** Never rejects: without a configuration the page works with telemetry off. */
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
