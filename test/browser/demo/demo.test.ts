// The demo in Chromium: the script of `npm start`, its built page and its collector.
import type { ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../../../collector/src/report-types.js";
import digitsManifest from "../../../models/digits/package/insitu.json" with { type: "json" };
import { type Chromium, launchChromium } from "../../support/chromium.js";
import { startDemo } from "../../support/demo.js";

// A first prediction compiles kernels, on a busy machine with two cores.
const SLOW_MS = 60_000;

let folder: string;
let server: ChildProcess;
let demoUrl: string;
let dashboardUrl: string | undefined;
let chromium: Chromium;
let page: Page;
const complaints: string[] = [];

// biome-ignore lint/performance/useDomNodeTextContent: a visitor sees the rendered text, hidden parts left out.
const text = (selector: string) => page.locator(selector).innerText();
const found = () => text("#found");
const said = (pattern: RegExp) => expect.poll(() => text("#status"), { timeout: SLOW_MS }).toMatch(pattern);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "insitu-demo-"));
  // The camera shows a cup of coffee: Chromium plays the file in a loop.
  const camera = join(folder, "camera.mjpeg");
  await writeFile(camera, await readFile("demo/public/photos/coffee.jpg"));
  const started = await startDemo("--port", "0", "--collector-port", "0", "--data", join(folder, "telemetry.db"));
  ({ process: server, demo: demoUrl, dashboard: dashboardUrl } = started);
  chromium = await launchChromium({
    args: [
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      `--use-file-for-fake-video-capture=${camera}`,
    ],
  });
  page = await chromium.context.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(demoUrl);
});

afterAll(async () => {
  await chromium?.close();
  server?.kill("SIGKILL");
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("the page opens with the cat recognised, and says what ran it", async () => {
  await said(/A cat: cat \d+ %/);
  expect(await found()).toContain("cat");
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  expect(await text("#model")).toContain("network");
  expect(await text("#time")).toMatch(/execute\s+[\d.]+ m?s/);
  // The boxes are drawn over the whole photo, at the screen's density.
  const drawn = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>("#overlay");
    const pixels = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    return { width: canvas?.clientWidth, ink: pixels.some((value) => value > 0) };
  });
  expect(drawn).toEqual({ width: await page.locator("#photo").evaluate((image) => image.clientWidth), ink: true });
});

test("a sample is recognised", async () => {
  await page.getByRole("button", { name: "Coffee" }).click();
  await said(/A cup of coffee: .*cup/);
  expect(await found()).toContain("cup");
});

test("a picked file is recognised", async () => {
  await page.getByLabel("Choose a picture").setInputFiles("demo/public/photos/astronaut.jpg");
  await said(/astronaut\.jpg: .*person/);
  expect(await found()).toContain("person");
});

test("a file that is not an image is refused with a message, and the next one works", async () => {
  const notes = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture at all") };
  await page.getByLabel("Choose a picture").setInputFiles(notes);
  await said(/No result for notes\.txt/);
  // Nothing of the picture before is left.
  expect(await found()).toBe("No result.");
  expect(await text("#time")).toContain("Shown with the first result");
  expect(await page.locator("#photo").isHidden()).toBe(true);
  expect(await text("#caption")).toBe("");
  expect(await text("#failure")).toContain("input_invalid");
  expect(await text("#failure")).toContain("Choose another picture");
  await page.getByRole("button", { name: "Cat" }).click();
  await said(/A cat: cat/);
  expect(await page.locator("#failure").isHidden()).toBe(true);
});

test("the slider shows fewer and more objects at once, and the code has its score", async () => {
  await page.getByRole("button", { name: "Several" }).click();
  await said(/A person, a cat and a cup: .*in /);
  const listed = () => page.locator("#found .swatch").count();
  const atFirst = await listed();
  expect(atFirst).toBeGreaterThanOrEqual(3);
  const slider = page.getByLabel("Lowest score");
  await slider.fill("0.95");
  expect(await listed()).toBeLessThan(atFirst);
  await slider.fill("0.1");
  expect(await listed()).toBeGreaterThanOrEqual(atFirst);
  await page.locator("#object-code summary").click();
  expect(await text("#object-code code")).toContain("{ minScore: 0.1 }");
  await page.locator("#object-code summary").click();
  await slider.fill("0.3");
});

test("a pasted and a dropped image are recognised", async () => {
  for (const [kind, name] of [
    ["paste", "Pasted picture"],
    ["drop", "dropped.jpg"],
  ] as const) {
    await page.evaluate(async (type) => {
      const data = new DataTransfer();
      const photo = await (await fetch("/photos/coffee.jpg")).blob();
      data.items.add(new File([photo], "dropped.jpg", { type: "image/jpeg" }));
      const init = { bubbles: true, cancelable: true };
      const event =
        type === "paste"
          ? new ClipboardEvent("paste", { ...init, clipboardData: data })
          : new DragEvent("drop", { ...init, dataTransfer: data });
      document.body.dispatchEvent(event);
    }, kind);
    await said(new RegExp(`${name}: .*cup`));
  }
});

test("the camera is followed until it is stopped", async () => {
  await page.getByRole("button", { name: "Use the camera" }).click();
  await expect.poll(found, { timeout: SLOW_MS }).toContain("cup");
  expect(await page.locator('#samples [aria-pressed="true"]').count()).toBe(0);
  await expect.poll(() => text("#caption"), { timeout: SLOW_MS }).toMatch(/[\d.]+ frames per second/);
  await page.getByRole("button", { name: "Stop the camera" }).click();
  await said(/camera is off/);
  expect(await page.locator("#video").isHidden()).toBe(true);
});

test("digits are read from samples and from a drawing", async () => {
  const answer = () => text("#digit-said");
  for (let digit = 0; digit < 10; digit++) {
    await page.getByRole("button", { name: `Sample ${digit}` }).click();
    await expect.poll(answer, { timeout: SLOW_MS }).toMatch(new RegExp(`^${digit}, `));
  }
  await page.getByRole("button", { name: "Clear" }).click();
  expect(await answer()).toContain("Draw a digit");
  // A seven: across, then down to the left.
  await page.locator("#pad").scrollIntoViewIfNeeded();
  const pad = await page.locator("#pad").boundingBox();
  if (!pad) throw new Error("The pad is not on the page.");
  const to = (x: number, y: number) => page.mouse.move(pad.x + x * pad.width, pad.y + y * pad.height, { steps: 8 });
  await to(0.28, 0.22);
  await page.mouse.down();
  await to(0.72, 0.22);
  await to(0.45, 0.85);
  await page.mouse.up();
  await expect.poll(answer, { timeout: SLOW_MS }).toMatch(/^7, /);
  expect(await text("#chart .best")).toMatch(/^7/);
});

test("another backend is chosen, and gives the same answer", async () => {
  await page.getByRole("button", { name: "Cat" }).click();
  await said(/A cat: cat/);
  await page.getByLabel("Backend", { exact: true }).selectOption("cpu");
  await expect.poll(() => text("#backends"), { timeout: SLOW_MS }).toMatch(/^cpu in use/);
  await expect.poll(() => text("#time"), { timeout: SLOW_MS }).toContain("total on cpu");
  expect(await found()).toContain("cat");
  expect(await text("#slow")).toMatch(/^cpu is plain JavaScript/);
  await page.getByLabel("Backend", { exact: true }).selectOption("wasm");
  await expect.poll(() => text("#time"), { timeout: SLOW_MS }).toContain("total on wasm");
  expect(await page.locator("#slow").isHidden()).toBe(true);
});

test("cpu is cancelled, and the backend before it is used again", async () => {
  await page.getByLabel("Backend", { exact: true }).selectOption("cpu");
  await page.getByRole("button", { name: "Cancel, and go back" }).click();
  expect(await page.getByLabel("Backend", { exact: true }).inputValue()).toBe("wasm");
  await expect.poll(() => text("#time"), { timeout: SLOW_MS }).toContain("total on wasm");
  expect(await page.locator("#slow").isHidden()).toBe(true);
});

test("a backend that cannot run is disabled, with its reason", async () => {
  const without = await launchChromium({ args: ["--disable-blink-features=WebGPU"] });
  try {
    const other = await without.context.newPage();
    await other.goto(demoUrl);
    await expect.poll(() => other.locator("#backend option:disabled").allTextContents()).toEqual(["webgpu"]);
    expect(await other.locator("#backend-why").textContent()).toMatch(/^webgpu cannot run here: .+/);
  } finally {
    await without.close();
  }
});

test.each([
  ["light", 360],
  ["light", 1280],
  ["dark", 360],
  ["dark", 1280],
] as const)("no accessibility violations: %s, %i pixels wide", async (colorScheme, width) => {
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
  // Nothing sticks out sideways.
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
});

test("a thousand digits that were held back are read, and page, collector and training agree on how many are right", async () => {
  await page.getByRole("button", { name: "Test on 1,000 digits" }).click();
  const answer = () => text("#check-said");
  await expect
    .poll(answer, { timeout: SLOW_MS })
    .toMatch(/^\d+ of 1000 correct: [\d.]+ %, 95 % confidence interval [\d.]+ to [\d.]+ %\.$/);
  const [right = 0, , share, , low, high] = ((await answer()).match(/[\d.]+(?= )/g) ?? []).map(Number);
  expect(Math.abs(right / 1000 - digitsManifest.metrics.heldOutAccuracy)).toBeLessThanOrEqual(0.002);
  expect(share).toBe(right / 10);
  await page.getByRole("button", { name: "Send now" }).click();
  const report = async () => (await (await fetch(new URL("/v1/report?model=digits", dashboardUrl))).json()) as Report;
  await expect.poll(async () => (await report()).accuracy[0]?.labelled, { timeout: SLOW_MS }).toBe(1000);
  const [accuracy] = (await report()).accuracy;
  expect(accuracy?.correct).toBe(right);
  expect([accuracy?.low, accuracy?.high].map((end) => (100 * (end ?? 0)).toFixed(1))).toEqual(
    [low, high].map((end) => end?.toFixed(1)),
  );
});

test("the collector has the durations once the page is left", async () => {
  await page.goto("about:blank");
  const metrics = async () => (await fetch(new URL("/metrics", dashboardUrl))).text();
  const counted = /^ml_inference_duration_seconds_count\{[^}]*ml_model_name="objects"[^}]*\} [1-9]/m;
  await expect.poll(metrics, { timeout: SLOW_MS }).toMatch(counted);
});

test("with the server gone and the network off, the page opens from its own caches and predicts", async () => {
  await page.goto(demoUrl);
  await said(/A cat: cat/);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.getByRole("button", { name: "Sample 4" }).click();
  await expect.poll(() => text("#digit-said"), { timeout: SLOW_MS }).toMatch(/^4, /);

  const ended = new Promise((done) => server.once("exit", done));
  server.kill("SIGINT");
  expect(await ended).toBe(0);
  await chromium.context.setOffline(true);
  await page.reload();
  await said(/A cat: cat/);
  expect(await text("#model")).toContain("cache");
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.getByRole("button", { name: "Coffee" }).click();
  await said(/A cup of coffee: .*cup/);
  await page.getByRole("button", { name: "Sample 7" }).click();
  await expect.poll(() => text("#digit-said"), { timeout: SLOW_MS }).toMatch(/^7, /);
  expect(await page.locator("#failure").isHidden()).toBe(true);
});

test("no script failed meanwhile", () => {
  expect(complaints).toEqual([]);
});
