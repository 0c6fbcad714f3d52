import { spawn } from "node:child_process";
import { launchChromium } from "./test/support/chromium.js";

const out = "/tmp/edge-shots";
const child = spawn(process.execPath, ["--import", "tsx", "scripts/start.ts", "--port", "0", "--no-collector"], {
  cwd: "/tmp/wt/edge",
  stdio: ["ignore", "pipe", "pipe"],
});
let printed = "";
const url = await new Promise<string>((done, no) => {
  const read = (c: Buffer) => {
    printed += c;
    const m = /Demo\s+(http\S+)/.exec(printed)?.[1];
    if (m) done(m);
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  child.once("exit", (c) => no(new Error(`${c} ${printed}`)));
});
console.log(printed);
const chromium = await launchChromium({});
const page = await chromium.context.newPage();
page.on("pageerror", (e) => console.log("PAGEERROR", e.message));
page.on("console", (m) => {
  if (m.type() === "error") console.log("CONSOLE", m.text());
});
const both = async (name: string) => {
  for (const width of [360, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${out}/${name}-${width}.png`, fullPage: true });
  }
};
const wait = (sel: string, re: RegExp) =>
  page.waitForFunction(
    ([s, r]) => new RegExp(r as string).test(document.querySelector(s as string)?.textContent ?? ""),
    [sel, re.source],
    { timeout: 60000 },
  );
try {
  await page.goto(url);
  await wait("#status", /A cat: cat/);
  await page.getByRole("button", { name: "Sample 7" }).click();
  await wait("#digit-said", /^7, /);
  await both("index");
  await page
    .getByLabel("Choose a picture")
    .setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture at all") });
  await wait("#status", /No result/);
  await both("index-failure");
  await page.goto(new URL("/teach.html", url).href);
  await wait("#status", /^Ready/);
  await both("teach-empty");
  await page.getByRole("button", { name: "Add sample classes" }).click();
  await wait("#versions", /in use/);
  await page.waitForTimeout(3000);
  await page.getByRole("button", { name: "New crop of grass" }).click();
  await wait("#said", /^(grass|Unknown)/);
  await both("teach");
  await page.getByRole("button", { name: /Coffee/ }).click();
  await wait("#said", /^Unknown/);
  console.log(await page.locator("#how").innerText());
  await page.getByLabel("Allow this page to learn from my pictures").uncheck();
  await page.getByRole("button", { name: "Add 5 crops of grass" }).click();
  await wait("#failure", /consent/);
  console.log(await page.locator("#failure").innerText());
  await page.goto(new URL("/for-you.html", url).href);
  await wait("#status", /films\. Choose/);
  await both("for-you-empty");
  for (let i = 0; i < 3; i++)
    await page
      .locator("#mine")
      .getByRole("button", { name: /^Watch/ })
      .first()
      .click();
  await page.waitForTimeout(500);
  await both("for-you");
} catch (e) {
  console.log("FAILED", e);
  await page.screenshot({ path: `${out}/failed.png`, fullPage: true });
}
await chromium.close();
child.kill("SIGINT");
