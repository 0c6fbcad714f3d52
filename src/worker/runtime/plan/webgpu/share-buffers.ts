// Gives the tensors of a plan on WebGPU their buffers: those that are never needed at the same time share one.

interface Lifetime {
  id: number;
  bytes: number;
  born: number;
  dies: number;
}

export interface SharedBuffers {
  /** Bytes of each buffer. */
  sizes: number[];
  /** By the tensor's id: the index of its buffer. */
  buffers: Map<number, number>;
}

/**
 * Largest first, each into the smallest buffer that is free as long as it lives. Ranges of one large buffer would waste less, but WebGPU
 * refuses a shader that reads and writes the same buffer.
 */
export function shareBuffers(tensors: Lifetime[]): SharedBuffers {
  const sizes: number[] = [];
  const buffers = new Map<number, number>();
  const users: Lifetime[][] = [];
  for (const tensor of tensors.toSorted((a, b) => b.bytes - a.bytes)) {
    const isFree = (others: Lifetime[]) => others.every(({ born, dies }) => dies <= tensor.born || tensor.dies <= born);
    // The last ones are the smallest.
    const found = users.findLastIndex(isFree);
    const index = found < 0 ? sizes.push(tensor.bytes) - 1 : found;
    users[index] = [...(users[index] ?? []), tensor];
    buffers.set(tensor.id, index);
  }
  return { sizes, buffers };
}
