// Writes a minimal app from a template of this package.
import { cp, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InsituError } from "../shared/errors.js";
import { makeFolder } from "./make-folder.js";

// The same relative path from src/cli and from dist/cli.
const PACKAGE = new URL("../../", import.meta.url);

export const TEMPLATES = ["vanilla", "react"] as const;
export type Template = (typeof TEMPLATES)[number];

/** What an editor or a version control system puts into a new folder. */
const HARMLESS = new Set([".git", ".DS_Store", ".idea", ".vscode"]);

const SCRIPTS = {
  models: "insitu get digits --out public/models",
  predev: "npm run models",
  dev: "vite",
  prebuild: "npm run models",
  build: "tsc && vite build",
  preview: "vite preview",
};

const DEPENDENCIES = {
  vanilla: { app: {}, tools: {} },
  react: {
    app: { react: "^19.3.1", "react-dom": "^19.3.1" },
    tools: { "@types/react": "^19.3.3", "@types/react-dom": "^19.3.0", "@vitejs/plugin-react": "^6.3.0" },
  },
} satisfies Record<Template, { app: object; tools: object }>;

/** Returns the files that were written. Throws `input_invalid` when the folder holds files already, and writes nothing then. */
export async function initApp(folder: string, template: Template): Promise<string[]> {
  const present = await entriesOf(folder);
  if (present.length > 0) {
    const message = `${folder} is not empty (${present.slice(0, 3).join(", ")}), and nothing was written. Name a new folder: insitu init my-app`;
    throw new InsituError("input_invalid", message, { folder });
  }
  await makeFolder(folder);
  for (const part of ["shared", template])
    await cp(fileURLToPath(new URL(`templates/${part}`, PACKAGE)), folder, { recursive: true });
  // npm leaves files of this name out of packages.
  await rename(join(folder, "gitignore"), join(folder, ".gitignore"));
  await writeFile(join(folder, "package.json"), `${JSON.stringify(await describeApp(folder, template), null, 2)}\n`);
  const written = await readdir(folder, { recursive: true, withFileTypes: true });
  return written
    .filter((entry) => entry.isFile() && !HARMLESS.has(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes(`${join(folder, ".git")}/`))
    .sort();
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !HARMLESS.has(name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    const message = `${folder} cannot be used: ${(cause as Error).message}. Name a new folder: insitu init my-app`;
    throw new InsituError("input_invalid", message, { folder }, { cause });
  }
}

async function describeApp(folder: string, template: Template): Promise<object> {
  const { version } = JSON.parse(await readFile(new URL("package.json", PACKAGE), "utf8")) as { version: string };
  const { app, tools } = DEPENDENCIES[template];
  // npm refuses names with capitals, spaces and most signs.
  const name = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return {
    name: name || "insitu-app",
    private: true,
    version: "0.0.0",
    type: "module",
    scripts: SCRIPTS,
    dependencies: { insitu: `^${version}`, ...app },
    devDependencies: { ...tools, "insitu-models": `^${version}`, typescript: "^5.9.3", vite: "^8.3.8" },
  };
}
