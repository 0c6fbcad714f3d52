// package-lock.json has an entry for every dependency, those of other platforms included, so that `npm install` changes nothing.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Entry {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  resolved?: string;
  link?: boolean;
  integrity?: string;
  hasInstallScript?: boolean;
}

const file = new URL("../../../package-lock.json", import.meta.url);
const { packages } = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Entry> };

/** Looks a package up as Node does: in the folder's node_modules, then in those of the folders above. */
function isInstalledFor(folder: string, name: string): boolean {
  const candidate = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
  if (candidate in packages) return true;
  if (folder === "") return false;
  return isInstalledFor(folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/"))), name);
}

test("every dependency has an entry", () => {
  const missing: string[] = [];
  for (const [folder, entry] of Object.entries(packages)) {
    const isOurs = !folder.includes("node_modules/");
    const names = { ...entry.dependencies, ...entry.optionalDependencies, ...(isOurs ? entry.devDependencies : {}) };
    for (const name of Object.keys(names)) if (!isInstalledFor(folder, name)) missing.push(`${folder}: ${name}`);
  }
  expect(missing).toEqual([]);
});

test("every package has a hash, which npm checks: no registry can send another one", () => {
  const foreign = Object.entries(packages).filter(([folder, { link }]) => folder.includes("node_modules/") && !link);
  expect(foreign.filter(([, { integrity }]) => !integrity?.startsWith("sha512-"))).toEqual([]);
});

test("the scripts of packages that have some at their installation are switched off, by name", () => {
  const { allowScripts } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  const names = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([folder]) => folder.replace(/^.*node_modules\//, ""));
  expect(allowScripts).toEqual(Object.fromEntries(names.sort().map((name) => [name, false])));
});

test("every package that peers with React accepts ours, so that npm warns of nothing", () => {
  const args = ["ls", "react", "@types/react", "--package-lock-only"];
  const { status, stderr } = spawnSync("npm", args, { cwd: new URL("../../..", import.meta.url), encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("no entry names a registry: the file is the same whichever mirror a machine uses", () => {
  const named = Object.values(packages).filter(({ resolved, link }) => resolved !== undefined && !link);
  expect(named).toEqual([]);
});
