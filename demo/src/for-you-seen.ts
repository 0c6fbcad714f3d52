// Which films were chosen or sent away, so that they are not shown again; kept beside what the ranker keeps.
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

export function see(film: string): void {
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
    // A browser that keeps nothing: until the page is left they are known.
  }
}
