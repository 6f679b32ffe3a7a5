// The format of recordings and of what the suite's runner speaks: byte strings, each behind its length in four bytes
// (little-endian). Knows nothing of what they hold.

/** Puts the length in front of a byte string. */
export function toChunk(bytes: Uint8Array): Buffer {
  const chunk = Buffer.allocUnsafe(4 + bytes.length);
  chunk.writeUInt32LE(bytes.length);
  chunk.set(bytes, 4);
  return chunk;
}

/**
 * Splits bytes into the whole chunks at their beginning, and what is left behind them.
 */
export function splitChunks(bytes: Buffer): { readonly chunks: Buffer[]; readonly rest: Buffer } {
  const chunks: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    chunks.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return { chunks, rest: bytes.subarray(at) };
}
