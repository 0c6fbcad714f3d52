// Channel files, and their publication over HTTP.
const OPERATOR = { authorization: "Bearer operator" };

/** A channel file of the model digits. */
export function channel(
  release: number,
  arms: object[] = [{ package: "./1.0.0/", weight: 1, role: "stable" }],
): string {
  // Written by hand: what is served must not be this file written again.
  return `{ "model": "digits",  "release": ${release}, "arms": ${JSON.stringify(arms)}, "salt": "a" }\n`;
}

/** Arms with a canary. */
export const CANARY = [
  { package: "./1.0.0/", weight: 95, role: "stable" },
  { package: "./1.1.0", weight: 5, role: "canary" },
];

/** Publishes as the operator, with the token `operator`. */
export function put(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string>,
  model = "digits",
): Promise<Response> {
  return fetch(`${url}/v1/channels/${model}`, {
    method: "PUT",
    body: body as string,
    headers: { ...OPERATOR, "content-type": "application/json", ...headers },
  });
}

export const create = (url: string, body: string) => put(url, body, { "if-none-match": "*" });

export async function etagOf(url: string): Promise<string> {
  return (await fetch(`${url}/v1/channels/digits`)).headers.get("etag") ?? "";
}
