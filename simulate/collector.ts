// The real collector in this process, with the simulation's clock, and requests to it over HTTP on loopback.
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCollector } from "../collector/src/collector.js";
import type { ExportRequest } from "../src/page/lazy/telemetry/requests.js";
import type { Clock } from "./clock.js";
import { MODEL } from "./simulated-page.js";

const TRUSTED_KEY = "the-sites-own-backend";
const TOKEN = "the-operator";

export interface SimulationCollector {
  url: string;
  token: string;
  /** Sends a request of a page, or of the site's backend. Rejects unless it was stored. */
  send(request: ExportRequest, from: { address: string; trusted?: true }): Promise<void>;
  /** Publishes a channel. */
  publish(text: string, release: number): Promise<void>;
  /** What `GET` answers. */
  read<T>(path: string): Promise<T>;
  close(): Promise<void>;
}

export async function startSimulationCollector(clock: Clock): Promise<SimulationCollector> {
  const folder = mkdtempSync(join(tmpdir(), "insitu-simulate-"));
  const collector = await startCollector({
    port: 0,
    data: join(folder, "telemetry.db"),
    now: clock.now,
    trustedKeys: [TRUSTED_KEY],
    operatorToken: TOKEN,
    // Pages send from addresses of their own, as behind a proxy.
    trustProxy: 1,
    rate: 1e6,
    keyRate: 1e6,
    keepDays: 60,
    readCache: 0,
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  return {
    url: collector.url,
    token: TOKEN,
    send: ({ path, id, body }, { address, trusted }) =>
      new Promise((resolve, reject) => {
        const headers = {
          "content-type": "application/json",
          "x-forwarded-for": address,
          ...(trusted && { authorization: `Bearer ${TRUSTED_KEY}` }),
        };
        const sent = httpRequest(
          `${collector.url}${path}?batch=${id}`,
          { method: "POST", agent, headers },
          (answer) => {
            let text = "";
            answer.setEncoding("utf8").on("data", (part) => {
              text += part;
            });
            answer.once("end", () => {
              // A partial success would be a simulated page whose figures the collector does not take.
              if (answer.statusCode === 200 && !text.includes("partialSuccess")) resolve();
              else reject(new Error(`The collector answered ${answer.statusCode}: ${text}`));
            });
          },
        );
        sent.once("error", reject);
        sent.end(body);
      }),
    async publish(text, release) {
      const condition: Record<string, string> =
        release === 1 ? { "if-none-match": "*" } : { "if-match": await etagOf(collector.url) };
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...condition };
      const answer = await fetch(`${collector.url}/v1/channels/${MODEL}`, { method: "PUT", headers, body: text });
      if (!answer.ok) throw new Error(`The collector refused the channel: ${await answer.text()}`);
    },
    async read(path) {
      const answer = await fetch(`${collector.url}${path}`);
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    async close() {
      agent.destroy();
      await collector.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function etagOf(url: string): Promise<string> {
  const answer = await fetch(`${url}/v1/channels/${MODEL}`);
  return answer.headers.get("etag") ?? "";
}
