// A browser profile on disk: damages the files of IndexedDB and of chunks, and kills the browser.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext } from "playwright";

/** Files of the origin private file systems of all sites; each of our larger chunks is one. */
export function chunkFiles(profile: string): string[] {
  const root = join(profile, "Default", "File System");
  // Beside the files of each site lie a database of their names, and their sum of bytes.
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
    /^\d+\/\w\/\d+\/\d+$/.test(name),
  );
  return files.map((name) => join(root, name));
}

/** Files that hold the stored Blobs of all sites. */
export function blobFiles(profile: string): string[] {
  const root = join(profile, "Default", "IndexedDB");
  const folders = readdirSync(root).filter((name) => name.endsWith(".indexeddb.blob"));
  const entries = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(root, folder, name)),
  );
  return entries.filter((path) => statSync(path).isFile());
}

/** The folder of the only site's LevelDB, which holds all of IndexedDB but the Blobs. */
export function levelDbFolder(profile: string): string {
  const root = join(profile, "Default", "IndexedDB");
  const [folder, ...others] = readdirSync(root).filter((name) => name.endsWith(".indexeddb.leveldb"));
  if (!folder || others.length > 0) throw new Error(`${root} should hold the database of one site.`);
  return join(root, folder);
}

/**
 * Kills every process of the browser that runs on this profile, as the system does when memory is short, and waits until
 * its `context` has noticed: to close a context between the two is an error. Returns the number of processes.
 */
export async function killBrowser(profile: string, context: BrowserContext): Promise<number> {
  const noticed = new Promise((resolve) => context.once("close", resolve));
  let killed = 0;
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      // Chromium joins the arguments of its child processes by blanks.
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").split(/[\0 ]/);
      if (!command.includes(`--user-data-dir=${profile}`)) continue;
      process.kill(Number(entry), "SIGKILL");
      killed += 1;
    } catch {
      // It ended meanwhile, or is another user's.
    }
  }
  if (killed > 0) await noticed;
  return killed;
}
