// Changes what the library keeps of its models in the page's database, as another version or a fault would.
import type { Page } from "playwright";

interface NoteRow {
  kind: string;
  /** Four bytes with the header's length, the header as JSON, and the arrays. */
  bytes: ArrayBuffer | Blob;
  sha256: string;
}

/** `fields` replace those of the note's header, and the hash is right again; without them a byte in the middle is flipped. */
export function changeNote(page: Page, kind: string, fields?: Record<string, unknown>): Promise<void> {
  return page.evaluate(
    async ({ kind, fields }) => {
      const result = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await result(indexedDB.open("insitu"));
      const store = () => database.transaction("notes", "readwrite").objectStore("notes");
      const row = ((await result(store().getAll())) as NoteRow[]).find((one) => one.kind === kind);
      if (!row) throw new Error(`No note of the kind ${kind} is stored.`);
      const bytes = new Uint8Array(await new Blob([row.bytes]).arrayBuffer());
      if (fields) {
        const [length = 0] = new Uint32Array(bytes.buffer, 0, 1);
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
        const text = new TextEncoder().encode(JSON.stringify({ ...header, ...fields }));
        row.bytes = await new Blob([Uint32Array.of(text.length), text, bytes.subarray(4 + length)]).arrayBuffer();
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", row.bytes));
        row.sha256 = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
      } else {
        const middle = bytes.length >> 1;
        bytes[middle] = (bytes[middle] as number) ^ 1;
        row.bytes = bytes.buffer;
      }
      await result(store().put(row));
      database.close();
    },
    { kind, fields },
  );
}
