// Encrypts JSON and byte arrays together with AES-GCM (NIST SP 800-38D), and decrypts them.

/** `facts` is anything that JSON can represent, `parts` are bytes that belong to it. */
export interface PlainContent {
  facts: unknown;
  parts: Uint8Array[];
}

const IV_BYTES = 12;

/** @param context - Identifies the row: its cipher text cannot be decrypted in another row. */
export async function encrypt(key: CryptoKey, context: string, content: PlainContent): Promise<ArrayBuffer> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const encrypted = await crypto.subtle.encrypt(algorithm(iv, context), key, pack(content));
  const cipherText = new Uint8Array(IV_BYTES + encrypted.byteLength);
  cipherText.set(iv);
  cipherText.set(new Uint8Array(encrypted), IV_BYTES);
  return cipherText.buffer;
}

/** Undefined when the bytes were altered, belong to another row, or were encrypted with another key. */
export async function decrypt(
  key: CryptoKey,
  context: string,
  cipherText: ArrayBuffer,
): Promise<PlainContent | undefined> {
  try {
    const bytes = new Uint8Array(cipherText);
    const iv = bytes.slice(0, IV_BYTES);
    return unpack(new Uint8Array(await crypto.subtle.decrypt(algorithm(iv, context), key, bytes.slice(IV_BYTES))));
  } catch {
    return undefined;
  }
}

const algorithm = (iv: Uint8Array<ArrayBuffer>, context: string) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(context),
});

/** The length of the JSON as a 32-bit little-endian integer, the JSON, then the parts. */
function pack({ facts, parts }: PlainContent): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ facts, sizes: parts.map((part) => part.byteLength) }));
  const total = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const bytes = new Uint8Array(4 + text.length + total);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let offset = 4 + text.length;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

/** The bytes need no check: AES-GCM authenticates what `pack` wrote. */
function unpack(bytes: Uint8Array<ArrayBuffer>): PlainContent {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { facts, sizes } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as {
    facts: unknown;
    sizes: number[];
  };
  let offset = 4 + length;
  const parts = sizes.map((size) => {
    offset += size;
    return bytes.slice(offset - size, offset);
  });
  return { facts, parts };
}

export function bytesOf(numbers: Float32Array | Int32Array | Uint8Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Copies, so that the numbers are aligned. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}
