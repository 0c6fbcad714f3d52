// Measures the accuracy of the digit model on a thousand test digits, with the library's feedback and monitor.
import type { Model } from "insitu";
import { byId } from "./dom.js";
import { hideFailure, showFailure } from "./failures.js";

export interface AccuracyCheck {
  use(model: Promise<Model<"classification">>): void;
}

const ADDRESS = "/digits/held-out.bin";
const PIXELS = 28 * 28;

interface Digit {
  pixels: Float32Array;
  label: number;
}

export function connectCheck(onPrediction: () => void): AccuracyCheck {
  const button = byId("check", HTMLButtonElement);
  const output = byId("check-said", HTMLElement);
  let model: Promise<Model<"classification">> | undefined;

  const run = async (classifier: Model<"classification">) => {
    const digits = await fetchDigits();
    let correct = 0;
    let done = 0;
    for await (const { id, value } of classifier.predictAll(
      digits.map(({ pixels }) => pixels),
      { batchSize: 32 },
    )) {
      const label = String(digits[done]?.label);
      await classifier.feedback(id, { label });
      if (value[0]?.label === label) correct += 1;
      done += 1;
      if (done % 100 === 0) output.textContent = `${done} of ${digits.length} done, ${correct} correct.`;
    }
    const version = classifier.monitor.snapshot().versions.find(({ version }) => version === classifier.info.version);
    const [low, high] = (version?.interval ?? [0, 1]).map(inPercent);
    const share = inPercent(correct / digits.length);
    output.textContent = `${correct} of ${digits.length} correct: ${share} %, 95 % confidence interval ${low} to ${high} %.`;
  };

  button.addEventListener("click", async () => {
    if (!model) return;
    hideFailure();
    button.disabled = true;
    output.textContent = "Downloading the digits.";
    try {
      await run(await model);
    } catch (error) {
      output.textContent = "No result.";
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
  if (!response.ok) throw new Error(`The digits could not be downloaded: HTTP ${response.status}.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return Array.from({ length: Math.floor(bytes.length / (1 + PIXELS)) }, (_, i) => {
    const [label = 0, ...pixels] = bytes.subarray(i * (1 + PIXELS), (i + 1) * (1 + PIXELS));
    return { label, pixels: Float32Array.from(pixels, (pixel) => pixel / 255) };
  });
}
