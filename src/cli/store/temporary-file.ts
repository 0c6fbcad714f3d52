// Names of files that are being written, and whether their writer is gone.
import { createHash, randomBytes } from "node:crypto";
import { lstat } from "node:fs/promises";
import { hostname } from "node:os";

type NodeError = NodeJS.ErrnoException;

/** Of a file that is being written. The name says who writes, so that others know whether it is left behind. */
const TEMPORARY = /^\.insitu-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;
const HOST = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
// Longer than a copy of the largest package takes; only for writers on other computers, whose processes cannot be looked up.
const STALE_AFTER = 24 * 3_600_000;

export const temporaryName = (): string => `.insitu-${HOST}-${process.pid}-${randomBytes(6).toString("hex")}.tmp`;

export const isTemporary = (name: string): boolean => TEMPORARY.test(name);

export async function isLeftBehind(name: string, path: string): Promise<boolean> {
  const [, host, pid] = TEMPORARY.exec(name) ?? [];
  if (pid === undefined) return false;
  if (host === HOST) return !isRunning(Number(pid));
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > STALE_AFTER;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process runs too.
    return (error as NodeError).code === "EPERM";
  }
}
