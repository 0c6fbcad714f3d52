// Talks to the collector about runs of retraining: finds the open one, and reports how it goes.

export interface OpenRun {
  id: string;
  state: string;
  trigger: string;
}

export interface CollectorAddress {
  url: string;
  readToken?: string;
  operatorToken?: string;
}

const TIMEOUT = 10_000;
const ATTEMPTS = 5;

/** The run of the model that waits for somebody, if there is one. */
export async function openRun({ url, readToken }: CollectorAddress, model: string): Promise<OpenRun | undefined> {
  const response = await request(`${url}/v1/retrain?model=${encodeURIComponent(model)}`, {
    headers: bearer(readToken),
  });
  const [status] = (await response.json()) as { runs: OpenRun[] }[];
  return status?.runs.find(({ state }) => state === "pending" || state === "sent");
}

export interface Report {
  state: "running" | "done" | "failed";
  version?: string;
  detail?: string;
}

const MAX_DETAIL = 1_000;

export async function reportRun({ url, operatorToken }: CollectorAddress, id: string, report: Report): Promise<void> {
  const body = JSON.stringify({ ...report, ...(report.detail && { detail: report.detail.slice(0, MAX_DETAIL) }) });
  const headers = { ...bearer(operatorToken), "content-type": "application/json" };
  await request(`${url}/v1/retrain/${id}`, { method: "POST", headers, body });
}

/** Tries again what may be a moment's failure. Throws with the answer. */
export async function request(url: string, init: RequestInit): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT) }).catch((error: Error) => error);
    if (response instanceof Response && response.ok) return response;
    const isFinal = response instanceof Response && response.status < 500 && response.status !== 429;
    if (isFinal || attempt === ATTEMPTS) {
      const what =
        response instanceof Response ? `${response.status} ${(await response.text()).slice(0, 300)}` : response;
      throw new Error(`${init.method ?? "GET"} ${url}: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
  }
}

export const bearer = (token: string | undefined): Record<string, string> =>
  token ? { authorization: `Bearer ${token}` } : {};
