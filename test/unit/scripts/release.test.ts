// The release script: a dry run in this repository, and a real release in a small one.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TSX = createRequire(import.meta.url).resolve("tsx/cli");
const { version: current } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

function release(...args: string[]): { status: number | null; output: string } {
  const script = join(ROOT, "scripts/release.ts");
  const env = { ...process.env, CI: "" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [TSX, script, ...args], { encoding: "utf8", env });
  return { status, output: stdout + stderr };
}

describe("a dry run in this repository", () => {
  test("tells what a release would do, and changes nothing", () => {
    const before = execFileSync("git", ["status", "--porcelain"], { cwd: ROOT, encoding: "utf8" });
    const { status, output } = release(current, "--dry-run");
    expect(output).toContain(`would tag v${current}`);
    expect(output).toContain(`would date the section ${current} of CHANGELOG.md`);
    expect(status).toBe(0);
    expect(execFileSync("git", ["status", "--porcelain"], { cwd: ROOT, encoding: "utf8" })).toBe(before);
  });

  test("tells what would be published: both packages, with all models", () => {
    const { status, output } = release("--publish", "--dry-run");
    expect(output).toMatch(new RegExp(`would publish insitu@${current}: \\d+ files, 1\\.\\d MB, with provenance`));
    expect(output).toMatch(new RegExp(`would publish insitu-models@${current}: \\d+ files, [5-6]\\.\\d MB`));
    expect(status).toBe(0);
  });

  test("publishes from CI only", () => {
    expect(release("--publish")).toMatchObject({ status: 1, output: expect.stringContaining("from CI only") });
  });
});

describe("a release in a small repository", () => {
  let root: string;
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const read = (path: string) => readFileSync(join(root, path), "utf8");

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "insitu-release-"));
    const write = (path: string, content: unknown) =>
      writeFileSync(join(root, path), typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`);
    mkdirSync(join(root, "models"));
    write("package.json", { name: "insitu", version: "0.2.0" });
    write("models/package.json", { name: "insitu-models", version: "0.2.0" });
    write("package-lock.json", {
      name: "insitu",
      version: "0.2.0",
      packages: { "": { version: "0.2.0" }, models: { version: "0.2.0" }, "node_modules/a": { version: "0.2.0" } },
    });
    write("CHANGELOG.md", "# Changelog\n\n## 0.3.0 - Unreleased\n\n- More.\n\n## 0.2.0 - 2026-11-01\n\n- Less.\n");
    git("init", "--quiet");
    git("config", "user.name", "tester");
    git("config", "user.email", "tester@example.com");
    git("add", ".");
    git("commit", "--quiet", "--message", "start");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("sets every version, dates the changelog, commits and tags", () => {
    expect(release("0.3.0", "--root", root)).toMatchObject({ status: 0 });
    expect(JSON.parse(read("package.json")).version).toBe("0.3.0");
    expect(JSON.parse(read("models/package.json")).version).toBe("0.3.0");
    const lock = JSON.parse(read("package-lock.json"));
    expect([lock.version, lock.packages[""].version, lock.packages.models.version]).toEqual(Array(3).fill("0.3.0"));
    expect(lock.packages["node_modules/a"].version).toBe("0.2.0");
    expect(read("CHANGELOG.md")).toMatch(/^## 0\.3\.0 - \d{4}-\d\d-\d\d$/m);
    expect(git("status", "--porcelain")).toBe("");
    expect(git("tag", "--points-at", "HEAD")).toBe("v0.3.0");
  });

  test.each([
    ["0.4.0", 'must be "## 0.4.0 - Unreleased"'],
    ["next", "is not a version"],
  ])("refuses %s, and changes nothing", (version, message) => {
    expect(release(version, "--root", root)).toMatchObject({ status: 1, output: expect.stringContaining(message) });
    expect(git("status", "--porcelain")).toBe("");
  });

  test("refuses a tree with changes, an existing tag, and an empty section", () => {
    writeFileSync(join(root, "new.txt"), "new");
    expect(release("0.3.0", "--root", root).output).toContain("Commit them first");
    rmSync(join(root, "new.txt"));
    git("tag", "v0.3.0");
    expect(release("0.3.0", "--root", root).output).toContain("v0.3.0 exists");
    git("tag", "--delete", "v0.3.0");
    writeFileSync(
      join(root, "CHANGELOG.md"),
      "# Changelog\n\n## 0.3.0 - Unreleased\n\n## 0.2.0 - 2026-11-01\n\n- Less.\n",
    );
    git("commit", "--all", "--quiet", "--message", "empty");
    expect(release("0.3.0", "--root", root).output).toContain("has no entry");
  });
});
