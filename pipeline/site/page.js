// The example's page: reads digits with the version that the channel gives this browser, and sends labelled ones if the visitor agreed.
import { createClient } from "/insitu/index.js";

const { collector, keys, every } = await (await fetch("/config.json")).json();
const client = createClient({
  backends: ["wasm"],
  trust: { keys },
  telemetry: { endpoint: collector, sampling: 0, flushInterval: 1_000 },
});
const model = await client.load("/models/digits/channel.json", { task: "classification", channel: { every } });
// After each digit too: a promotion changes the arm of the version that runs, and swaps nothing.
const show = () => {
  const { version, arm } = model.rollout;
  document.querySelector("#version").textContent = `Version ${version} (${arm})`;
};
model.rollout.addEventListener("swap", show);
show();

const context = document.querySelector("#digit").getContext("2d");

/** Draws the digit, reads it, and sends it with what it is. `pixels`: 784 bytes as base64. Resolves with what was read. */
window.write = async (pixels, label) => {
  const bytes = Uint8Array.from(atob(pixels), (char) => char.charCodeAt(0));
  const image = new ImageData(28, 28);
  for (const [i, value] of bytes.entries()) image.data.set([value, value, value, 255], 4 * i);
  context.putImageData(image, 0, 0);
  const result = await model.predict(Float32Array.from(bytes, (value) => value / 255));
  const read = result.value[0].index;
  document.querySelector("#read").textContent = String(read);
  show();
  const { version, arm = "stable" } = result.model;
  if (document.querySelector("#consent").checked) {
    const id = crypto.randomUUID().replaceAll("-", "");
    const body = JSON.stringify({ id, consent: true, pixels, label, predicted: { class: read, version, arm } });
    const { ok, status } = await fetch("/digits", { method: "POST", body });
    if (!ok) throw new Error(`The site did not take the digit: ${status}`);
  }
  return { read, version, arm };
};
