// Frames written and read in the plainest way, for tests to hold the real ones against. Shares no code with the transport.

/** One frame of ttrpc. */
export interface RawFrame {
  readonly id: number;
  readonly type: number;
  readonly flags: number;
  readonly data: Buffer;
}

/** Frame types by name. */
export const rawType: { readonly request: 1; readonly response: 2; readonly data: 3 } = {
  request: 1,
  response: 2,
  data: 3,
};

/** Makes a frame. */
export function rawFrame(id: number, type: number, flags: number, data: Uint8Array | string = ""): RawFrame {
  return { id, type, flags, data: typeof data === "string" ? unhex(data) : Buffer.from(data) };
}

/** Encodes frames one behind the other. @param length Announces another length than the data's own. */
export function encodeFrames(frames: readonly RawFrame[], length?: number): Buffer {
  const parts: Buffer[] = [];
  for (const { id, type, flags, data } of frames) {
    const header = Buffer.alloc(10);
    header.writeUInt32BE(length ?? data.length, 0);
    header.writeUInt32BE(id, 4);
    header[8] = type;
    header[9] = flags;
    parts.push(header, data);
  }
  return Buffer.concat(parts);
}

/** Splits bytes into frames. @returns The whole frames, and the bytes that are left over. */
export function decodeFrames(bytes: Buffer): { readonly frames: RawFrame[]; readonly rest: Buffer } {
  const frames: RawFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 10) {
    const end = at + 10 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    const [type, flags] = [bytes.readUInt8(at + 8), bytes.readUInt8(at + 9)];
    frames.push({ id: bytes.readUInt32BE(at + 4), type, flags, data: Buffer.from(bytes.subarray(at + 10, end)) });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** Bytes of hexadecimal text; white space is allowed anywhere. */
export function unhex(text: string): Buffer {
  const plain = text.replaceAll(/\s+/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(plain)) throw new Error(`"${text}" is not hexadecimal`);
  return Buffer.from(plain, "hex");
}
