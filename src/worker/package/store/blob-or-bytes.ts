// Writes bytes as a Blob where the browser stores Blobs, else as an ArrayBuffer.

export type StoredBytes = Blob | ArrayBuffer;

/**
 * Safari in a private window and WebKitGTK in an ephemeral session refuse Blobs in IndexedDB ("Error preparing Blob/File data to be stored
 * in object store"). After the first refusal all bytes are written as ArrayBuffers.
 */
export function createBytesWriter(): (bytes: Blob, write: (bytes: StoredBytes) => Promise<void>) => Promise<void> {
  let storesBlobs = true;
  return async (bytes, write) => {
    if (storesBlobs) {
      try {
        return await write(bytes);
      } catch (error) {
        if (!(error instanceof Error && /\bBlob/.test(error.message))) throw error;
        storesBlobs = false;
      }
    }
    return write(await bytes.arrayBuffer());
  };
}
