// Writes and removes the files of chunks. Part of the file for first visits: who finds a package stored writes nothing.

/** A file that is locked until `close` is called: nobody takes it for one that no row refers to. */
export interface Written {
  name: string;
  close(): void;
  /** Closes and removes it. */
  discard(): Promise<void>;
}

/**
 * Writes the bytes to a new file; `hash` only makes its name. Crashes leave files behind, and other tabs may write the same: no name is
 * used twice. Rejects with what the browser throws; then no file is left, if it can be removed.
 */
export async function writeFile(
  directory: FileSystemDirectoryHandle,
  hash: string,
  bytes: ArrayBuffer,
): Promise<Written> {
  const name = `${hash}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  const file = await directory.getFileHandle(name, { create: true });
  let handle: FileSystemSyncAccessHandle | undefined;
  const discard = async () => {
    handle?.close();
    // What cannot be removed now is found by `removeUnused`.
    await directory.removeEntry(name).catch(() => undefined);
  };
  try {
    handle = await file.createSyncAccessHandle();
    // Reserves the space by one message to the browser instead of several.
    handle.truncate(bytes.byteLength);
    const written = handle.write(bytes, { at: 0 });
    if (written !== bytes.byteLength) throw new Error(`Only ${written} of ${bytes.byteLength} bytes were written.`);
  } catch (error) {
    await discard();
    throw error;
  }
  const { close } = handle;
  return { name, close: close.bind(handle), discard };
}

/**
 * Removes the files that nothing refers to. A file that is being written or read is locked, and left to the next call.
 * @param findUnused - Which of the names nothing refers to now.
 */
export async function removeUnused(
  directory: FileSystemDirectoryHandle,
  findUnused: (names: string[]) => Promise<string[]>,
): Promise<void> {
  const names: string[] = [];
  for await (const name of directory.keys()) names.push(name);
  const handles = new Map<string, FileSystemSyncAccessHandle>();
  try {
    for (const name of await findUnused(names)) {
      const handle = await lock(directory, name);
      if (handle) handles.set(name, handle);
    }
    // Again: who wrote one of them until now refers to it by now.
    const unused = handles.size > 0 ? await findUnused([...handles.keys()]) : [];
    for (const name of unused) {
      handles.get(name)?.close();
      handles.delete(name);
      await directory.removeEntry(name).catch(() => undefined);
    }
  } finally {
    for (const handle of handles.values()) handle.close();
  }
}

async function lock(
  directory: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemSyncAccessHandle | undefined> {
  try {
    return await (await directory.getFileHandle(name)).createSyncAccessHandle();
  } catch {
    return undefined;
  }
}
