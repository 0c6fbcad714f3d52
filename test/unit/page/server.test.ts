// The library on a server: importing it and creating a client touch nothing of the browser, and a load says what is wrong.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { ROOT } from "../../../scripts/checks/paths.js";

// A process of its own: the test runner's may have globals of a browser.
const SCRIPT = `
  const { createClient } = await import(process.argv[1]);
  const client = createClient({ telemetry: { endpoint: "https://collector.example" } });
  const said = await client.load("https://shop.example/models/digits/").catch(({ name, code, message }) => ({ name, code, message }));
  await client.dispose();
  console.log(JSON.stringify(said));
`;

test("in Node it imports, a client is created and disposed, and a load rejects with what to do", () => {
  const index = pathToFileURL(join(ROOT, "dist/index.js")).href;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", SCRIPT, "--", index], {
    encoding: "utf8",
    timeout: 30_000,
  });
  expect(JSON.parse(output)).toEqual({
    name: "InsituError",
    code: "worker_crashed",
    message: expect.stringContaining("on a server, load no model"),
  });
});
