// Remembers which films were chosen or removed, so that they are not shown again.
const KEY = "insitu-demo-films-seen";

let seen: Set<string> | undefined;

export function readSeen(): ReadonlySet<string> {
  try {
    seen ??= new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]") as string[]);
  } catch {
    seen ??= new Set();
  }
  return seen;
}

export function markSeen(film: string): void {
  seen = new Set([...readSeen(), film]);
  write();
}

export function clearSeen(): void {
  seen = new Set();
  write();
}

function write(): void {
  try {
    localStorage.setItem(KEY, JSON.stringify([...(seen ?? [])]));
  } catch {
    // Without storage, the films are remembered until the page is closed.
  }
}
