// Reads a thousand digits that the model never saw, tells it what they are, and says how often it was right.
import type { Model } from "insitu";
import { byId } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";

export interface Check {
  use(model: Promise<Model<"classification">>): void;
}

const ADDRESS = "/digits/held-out.bin";
const PIXELS = 28 * 28;

interface Digit {
  pixels: Float32Array;
  label: number;
}

export function connectCheck(onPrediction: () => void): Check {
  const button = byId("check", HTMLButtonElement);
  const said = byId("check-said", HTMLElement);
  let model: Promise<Model<"classification">> | undefined;

  const run = async (reader: Model<"classification">) => {
    const digits = await fetchDigits();
    let right = 0;
    let done = 0;
    for await (const { id, value } of reader.predictAll(
      digits.map(({ pixels }) => pixels),
      { batchSize: 32 },
    )) {
      const label = String(digits[done]?.label);
      await reader.feedback(id, { label });
      if (value[0]?.label === label) right += 1;
      done += 1;
      if (done % 100 === 0) said.textContent = `${done} of ${digits.length} read, ${right} of them right.`;
    }
    const version = reader.monitor.snapshot().versions.find(({ version }) => version === reader.info.version);
    const [low, high] = (version?.interval ?? [0, 1]).map(inPercent);
    const share = inPercent(right / digits.length);
    said.textContent = `${right} of ${digits.length} right: ${share} %, 95 % interval ${low} to ${high} %.`;
  };

  button.addEventListener("click", async () => {
    if (!model) return;
    hideFailure();
    button.disabled = true;
    said.textContent = "Fetching the digits.";
    try {
      await run(await model);
    } catch (error) {
      said.textContent = "No result.";
      showFailure(error);
    }
    button.disabled = false;
    onPrediction();
  });

  return {
    use(next) {
      model = next;
    },
  };
}

const inPercent = (share: number) => (100 * share).toFixed(1);

async function fetchDigits(): Promise<Digit[]> {
  const response = await fetch(ADDRESS);
  if (!response.ok) throw new Error(`The digits could not be fetched: HTTP ${response.status}.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return Array.from({ length: Math.floor(bytes.length / (1 + PIXELS)) }, (_, i) => {
    const [label = 0, ...pixels] = bytes.subarray(i * (1 + PIXELS), (i + 1) * (1 + PIXELS));
    return { label, pixels: Float32Array.from(pixels, (pixel) => pixel / 255) };
  });
}
