// Buffers of chunks, used again: new memory costs as much as filling it, and the garbage collector lets hundreds of megabytes pile up.

export interface SpareBuffers {
  /** One of that size whose content is of no use any more, if there is one. */
  take(size: number): ArrayBuffer | undefined;
  /** Takes a buffer that nobody uses. */
  add(buffer: ArrayBuffer): void;
  /** Frees them all. */
  clear(): void;
}

// As many as are read ahead.
const MAX_SPARE = 4;

export function createSpareBuffers(): SpareBuffers {
  const spare: ArrayBuffer[] = [];
  return {
    take(size) {
      const at = spare.findIndex(({ byteLength }) => byteLength === size);
      return at < 0 ? undefined : spare.splice(at, 1)[0];
    },
    add(buffer) {
      if (spare.length === MAX_SPARE) detach(buffer);
      else if (buffer.byteLength > 0) spare.push(buffer);
    },
    clear() {
      for (const buffer of spare.splice(0)) detach(buffer);
    },
  };
}

/** Frees the memory now: the garbage collector waits for pressure. */
export function detach(buffer: ArrayBuffer): void {
  if (buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer] });
}
