// Packs what is kept of an example or a version into encrypted bytes, and takes it out again.

/** Plain facts and arrays of numbers; `parts` are whatever bytes go with them. */
export interface PlainContent {
  facts: unknown;
  parts: Uint8Array[];
}

const IV_BYTES = 12;

/** `context` names the row, so that one row's bytes are refused in another. */
export async function encrypt(key: CryptoKey, context: string, content: PlainContent): Promise<ArrayBuffer> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await crypto.subtle.encrypt(algorithm(iv, context), key, packed(content));
  const box = new Uint8Array(IV_BYTES + sealed.byteLength);
  box.set(iv);
  box.set(new Uint8Array(sealed), IV_BYTES);
  return box.buffer;
}

/** Undefined when the bytes were altered, belong to another row, or were sealed with another key. */
export async function decrypt(key: CryptoKey, context: string, box: ArrayBuffer): Promise<PlainContent | undefined> {
  try {
    const bytes = new Uint8Array(box);
    const iv = bytes.slice(0, IV_BYTES);
    return unpacked(new Uint8Array(await crypto.subtle.decrypt(algorithm(iv, context), key, bytes.slice(IV_BYTES))));
  } catch {
    return undefined;
  }
}

const algorithm = (iv: Uint8Array<ArrayBuffer>, context: string) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(context),
});

/** The length of the facts, the facts, the length of each part, the parts: numbers of 32 bits, the lowest byte first. */
function packed({ facts, parts }: PlainContent): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ facts, sizes: parts.map((part) => part.byteLength) }));
  const total = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const bytes = new Uint8Array(4 + text.length + total);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = 4 + text.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Only what `packed` wrote gets here: the seal says so. */
function unpacked(bytes: Uint8Array<ArrayBuffer>): PlainContent {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { facts, sizes } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as {
    facts: unknown;
    sizes: number[];
  };
  let at = 4 + length;
  const parts = sizes.map((size) => {
    at += size;
    return bytes.slice(at - size, at);
  });
  return { facts, parts };
}

export function bytesOf(numbers: Float32Array | Int32Array | Uint8Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** A copy that begins where numbers may begin. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}
