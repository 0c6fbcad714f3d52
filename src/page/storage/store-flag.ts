// Remembers outside of the database that packages were kept in it: a database that is empty then was lost by the browser.

/** Browsers recreate a damaged database empty and without a word; localStorage is another file. */
export function createStoreFlag(storeName: string): { isSet(): boolean; set(): void; remove(): void } {
  const key = `${storeName}:kept`;
  return {
    isSet: () => use((storage) => storage.getItem(key) !== null) ?? false,
    set: () => use((storage) => storage.setItem(key, "1")),
    remove: () => use((storage) => storage.removeItem(key)),
  };
}

/** It throws where the page may store nothing; then nothing was kept either. */
function use<T>(run: (storage: Storage) => T): T | undefined {
  try {
    return run(localStorage);
  } catch {
    return undefined;
  }
}
