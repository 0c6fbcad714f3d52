// `npm run release -- 0.3.0`: version, changelog, commit and tag; `npm run release -- --publish` in CI: publishes what the tag names.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./checks/paths.js";

/** Published together, with one version: `insitu init` writes apps that need both. */
const PACKAGES = [".", "models"];
const SEMVER = /^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/;
const MODELS = ["objects", "features", "digits", "ranker"];

const USAGE = `npm run release -- <version>    sets the version, dates the changelog, commits and tags; pushes nothing
npm run release -- --publish    in CI, on the tag's commit: npm publish --provenance of insitu and insitu-models
  --dry-run                     prints the steps and changes nothing
  --root <folder>               the repository (default: this one)`;

interface Release {
  root: string;
  isDry: boolean;
}

const read = (root: string, path: string) => readFileSync(join(root, path), "utf8");
const describe = (root: string, folder: string) =>
  JSON.parse(read(root, join(folder, "package.json"))) as { name: string; version: string };
const git = (root: string, ...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();

/** Runs a step, or only prints it. */
function step({ isDry }: Release, text: string, run: () => void): void {
  console.log(`${isDry ? "would " : ""}${text}`);
  if (!isDry) run();
}

/** The changelog with its unreleased section dated. Throws if the section is missing, is another version's, or empty. */
export function datedChangelog(text: string, version: string, date: string): string {
  const heading = `## ${version} - Unreleased\n`;
  const start = text.indexOf(heading);
  if (start < 0 || text.slice(0, start).includes("\n## "))
    throw new Error(`The top section of CHANGELOG.md must be "${heading.trim()}".`);
  const [section = ""] = text.slice(start + heading.length).split("\n## ", 1);
  if (!/^- /m.test(section)) throw new Error(`The section ${version} of CHANGELOG.md has no entry.`);
  return text.replace(heading, `## ${version} - ${date}\n`);
}

function withVersion(text: string, version: string): string {
  return text.replace(/^( {2}"version": )"[^"]*"/m, `$1"${version}"`);
}

/** npm's lock file names the version of this package twice, and that of each workspace once. */
function lockWithVersion(text: string, version: string): string {
  const lock = JSON.parse(text);
  lock.version = version;
  for (const path of PACKAGES) lock.packages[path === "." ? "" : path].version = version;
  return `${JSON.stringify(lock, null, 2)}\n`;
}

function prepare(release: Release, version: string): void {
  const { root } = release;
  if (!SEMVER.test(version)) throw new Error(`${version} is not a version such as 0.3.0.`);
  const tag = `v${version}`;
  if (git(root, "tag", "--list", tag)) throw new Error(`The tag ${tag} exists. Choose a higher version.`);
  if (!release.isDry && git(root, "status", "--porcelain"))
    throw new Error("The working tree has changes. Commit them first.");
  const changelog = datedChangelog(read(root, "CHANGELOG.md"), version, new Date().toISOString().slice(0, 10));
  for (const folder of PACKAGES) {
    const path = join(folder, "package.json");
    step(release, `set ${path} to ${version}`, () =>
      writeFileSync(join(root, path), withVersion(read(root, path), version)),
    );
  }
  step(release, `set package-lock.json to ${version}`, () =>
    writeFileSync(join(root, "package-lock.json"), lockWithVersion(read(root, "package-lock.json"), version)),
  );
  step(release, `date the section ${version} of CHANGELOG.md`, () =>
    writeFileSync(join(root, "CHANGELOG.md"), changelog),
  );
  step(release, `commit "Release ${version}"`, () => {
    git(root, "commit", "--all", "--quiet", "--message", `Release ${version}`);
  });
  step(release, `tag ${tag}`, () => void git(root, "tag", "--annotate", tag, "--message", `Release ${version}`));
  console.log(`Next: git push --follow-tags. CI then runs: npm run release -- --publish`);
}

/** Provenance is a statement of the CI system about the commit: it cannot be made elsewhere. */
function publish(release: Release): void {
  const { root, isDry } = release;
  const { version } = describe(root, ".");
  const tags = git(root, "tag", "--points-at", "HEAD").split("\n");
  if (!isDry && !process.env.CI) throw new Error("Publish from CI only: npm's provenance is made there.");
  if (!isDry && !tags.includes(`v${version}`)) throw new Error(`HEAD is not tagged v${version}.`);
  const missing = [
    ...["dist/index.js", "dist/worker.js", "dist/react.js"].filter((path) => !existsSync(join(root, path))),
    ...MODELS.map((name) => `models/${name}/package/insitu.json`).filter((path) => !existsSync(join(root, path))),
  ];
  if (missing.length > 0) throw new Error(`${missing.join(", ")} is missing. Run: npm run build && npm run models`);
  for (const folder of PACKAGES) {
    const { name, version: own } = describe(root, folder);
    if (own !== version) throw new Error(`${name} has version ${own}, insitu ${version}.`);
    const packed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: join(root, folder),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [{ files, size }] = JSON.parse(packed) as [{ files: unknown[]; size: number }];
    const what = `publish ${name}@${version}: ${files.length} files, ${(size / 1e6).toFixed(1)} MB, with provenance`;
    step(release, what, () => {
      const tag = version.includes("-") ? "next" : "latest";
      const args = ["publish", "--provenance", "--access", "public", "--tag", tag];
      execFileSync("npm", args, { cwd: join(root, folder), stdio: "inherit" });
    });
  }
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      publish: { type: "boolean", default: false },
      "dry-run": { type: "boolean", default: false },
      root: { type: "string", default: ROOT },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const release = { root: values.root, isDry: values["dry-run"] };
  const [version, ...more] = positionals;
  if (values.help) console.log(USAGE);
  else if (values.publish && !version) publish(release);
  else if (version && !values.publish && more.length === 0) prepare(release, version);
  else throw new Error(`Say which version, or --publish.\n${USAGE}`);
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
