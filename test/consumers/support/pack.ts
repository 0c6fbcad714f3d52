// Packs the library and its models once for all tests of consumers, as `npm publish` would.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

declare module "vitest" {
  interface ProvidedContext {
    /** The tarball of `insitu`. */
    library: string;
    /** The tarball of `insitu-models`. */
    models: string;
  }
}

export default function setup({ provide }: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), "insitu-tarballs-"));
  const pack = (workspace: string) => {
    const into = mkdtempSync(join(folder, "packed-"));
    execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", into], {
      cwd: join(ROOT, workspace),
      shell: process.platform === "win32",
      stdio: ["ignore", "ignore", "inherit"],
    });
    const tarball = readdirSync(into).find((file) => file.endsWith(".tgz"));
    if (!tarball) throw new Error(`npm pack left no tarball in ${into}.`);
    return join(into, tarball);
  };
  provide("library", pack("."));
  provide("models", pack("models"));
  return () => rmSync(folder, { recursive: true, force: true });
}
