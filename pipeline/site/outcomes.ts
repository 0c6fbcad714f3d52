// Adds up which predictions were right, by version and arm, and sends the sums to the collector with the trusted key.
import { randomBytes } from "node:crypto";

/** What the page says that it predicted. */
export interface Predicted {
  class: number;
  version: string;
  arm: "stable" | "canary";
}

export interface Outcomes {
  add(predicted: Predicted, isRight: boolean): void;
  /** Sends what waits, and resolves when it is sent. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const EVERY = 1_000;
const TIMEOUT = 5_000;

interface Batch {
  id: string;
  body: string;
}

export function createOutcomes(collector: string, trustedKey: string): Outcomes {
  let counts = new Map<string, number>();
  let last: Promise<void> = Promise.resolve();
  const waiting: Batch[] = [];

  const send = async () => {
    if (counts.size > 0) {
      waiting.push({ id: randomBytes(16).toString("hex"), body: bodyOf(counts) });
      counts = new Map();
    }
    for (let [batch] = waiting; batch; [batch] = waiting) {
      // The id makes it count once, however often it is sent.
      const response = await fetch(`${collector}/v1/metrics?batch=${batch.id}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${trustedKey}` },
        body: batch.body,
        signal: AbortSignal.timeout(TIMEOUT),
      });
      if (!response.ok && (response.status === 429 || response.status >= 500)) throw new Error(String(response.status));
      if (!response.ok) console.error(`The collector refused outcomes: ${response.status} ${await response.text()}`);
      waiting.shift();
    }
  };
  const flush = () => {
    last = last.then(send).catch((error) => console.error(`Outcomes wait, the collector cannot be reached: ${error}`));
    return last;
  };
  const timer = setInterval(flush, EVERY);
  timer.unref();
  return {
    add({ version, arm }, isRight) {
      const key = JSON.stringify([version, arm, isRight ? "correct" : "incorrect"]);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    flush,
    close() {
      clearInterval(timer);
      return flush();
    },
  };
}

/** OTLP: one delta point for each version, arm and outcome. */
function bodyOf(counts: ReadonlyMap<string, number>): string {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const timeUnixNano = `${Date.now()}000000`;
  const dataPoints = [...counts].map(([key, count]) => {
    const [version, arm, outcome] = JSON.parse(key) as [string, string, string];
    const attributes = [
      text("ml.model.name", "digits"),
      text("ml.model.version", version),
      text("ml.rollout.arm", arm),
      text("ml.prediction.outcome", outcome),
    ];
    return { attributes, timeUnixNano, asInt: String(count) };
  });
  const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints };
  const metrics = [{ name: "ml.prediction.outcomes", unit: "{prediction}", sum }];
  const resource = { attributes: [text("service.name", "digits-site")] };
  return JSON.stringify({
    resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: "pipeline/site" }, metrics }] }],
  });
}
