// Keeps the names of the visitor's classes in this browser, since the library stores examples, and a class may have none yet.

const KEY = "insitu-demo/teach/classes";

/** In the order in which they were added. Empty where nothing is stored or the browser does not allow storage. */
export function readClassNames(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter((name): name is string => typeof name === "string") : [];
  } catch {
    return [];
  }
}

/** Without storage they last as long as the page. */
export function writeClassNames(names: Iterable<string>): void {
  try {
    const all = [...names];
    if (all.length > 0) localStorage.setItem(KEY, JSON.stringify(all));
    else localStorage.removeItem(KEY);
  } catch {
    // Private browsing, or storage is full: the examples are stored by the library, which says so itself.
  }
}
