// What `insitu registry` and the command line say of packages, folders and answers that are not in order.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { insitu, insituAsync } from "../../support/cli.js";
import { useRegistry } from "../../support/registry-room.js";
import { readJson, writeVersion } from "../../support/versions.js";

const { rooms, registry } = useRegistry();
/** A fresh package, for a test that changes it. */
const fresh = (changes: Record<string, unknown> = {}) =>
  writeVersion(join(rooms.root, `fresh-${Math.random()}`), "1.0.0", changes);
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

describe("a damaged package", () => {
  it.each<[string, (path: string) => void, RegExp]>([
    ["longer", (path) => appendFileSync(path, "more"), /weights\.bin is larger than the \d+ bytes that it lists/],
    ["shorter", (path) => truncateSync(path, 9), /weights\.bin has 9 bytes, the manifest lists \d+/],
    ["missing", (path) => rmSync(path), /weights\.bin is missing/],
  ])("whose file is %s does not match its manifest, and is named by its own folder", (_what, change, message) => {
    const folder = fresh();
    change(join(folder, "weights.bin"));
    const { status, stderr } = registry("add", folder);
    expect(status).toBe(1);
    expect(stderr).toContain(`${folder} does not match its manifest: `);
    expect(stderr).toMatch(message);
    expect(stderr).toContain("Copy the folder again from where it was packed.");
    expect(existsSync(rooms.folder)).toBe(false);
  });

  it("whose manifest is none is named with a slash", () => {
    const folder = fresh();
    writeFileSync(join(folder, "insitu.json"), "{}");
    expect(registry("add", folder).stderr).toContain(`insitu: ${join(folder, "insitu.json")} cannot be used`);
  });
});

describe("a message", () => {
  it("of a file that is no channel ends with one full stop", () => {
    registry("add", fresh());
    const file = join(rooms.folder, "digits/channel.json");
    writeFileSync(file, "{}");
    const { stderr } = insitu("channel", "status", file);
    expect(stderr).toMatch(/wrote\.\n$/);
    writeFileSync(file, "no JSON");
    expect(insitu("channel", "status", file).stderr).toMatch(/wrote\.\n$/);
  });

  it.each([["list"], ["history"], ["gc"], ["gc", "--delete"], ["diff", "digits@1.0.0", "digits@1.1.0"]])(
    "of %s says that a registry does not exist, and makes none",
    (command, ...args) => {
      expect(registry(command, ...args)).toMatchObject({
        status: 1,
        stdout: "",
        stderr: expect.stringContaining(`${rooms.folder} does not exist`),
      });
      expect(existsSync(rooms.folder)).toBe(false);
      writeFileSync(rooms.folder, "a file");
      expect(registry(command, ...args)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`${rooms.folder} is not a folder`),
      });
      rmSync(rooms.folder);
    },
  );

  it("of an empty folder says that there is no model yet", () => {
    mkdirSync(rooms.folder);
    expect(registry("list")).toMatchObject({ status: 0, stdout: expect.stringContaining("No model yet") });
  });
});

describe("control characters", () => {
  const EVIL = "\u001b]0;owned\u0007\u001b[2Jevil\u009b31m\u202e";

  it("of a name do not reach the terminal", () => {
    const { status, stderr } = insitu("inspect", join(rooms.root, `a${EVIL}b`));
    expect(status).toBe(1);
    expect(stderr).toContain("evil");
    expect(stderr).not.toMatch(CONTROL);
    registry("add", fresh(), "--alias", "champion");
    const file = join(rooms.folder, "digits/champion.json");
    writeFileSync(file, JSON.stringify({ ...readJson(file), [EVIL]: 1, release: 5 }));
    writeFileSync(join(rooms.folder, `digits/a${EVIL}.json`), "{}");
    const noted = registry("list");
    expect(noted.stderr).toContain("Note: ");
    expect(noted.stderr).toContain("evil");
    expect(noted.stderr).not.toMatch(CONTROL);
    expect(readFileSync(file, "utf8")).toContain("evil");
  });

  it("of an answer do not reach the terminal", async () => {
    const server = createServer((_request, response) => response.writeHead(400).end(`no ${EVIL}`));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const { status, stderr } = await insituAsync("channel", "status", `http://127.0.0.1:${port}/v1/channels/digits`);
    server.close();
    expect(status).toBe(1);
    expect(stderr).toContain("evil");
    expect(stderr).not.toMatch(CONTROL);
  });
});
