// Frames of ttrpc read in the plainest way from bytes that are all there: the oracle of decoders.

/** A frame, or the header of one over the limit. */
export interface PlainFrame {
  readonly id: number;
  readonly type: number;
  readonly flags: number;
  readonly data: Buffer;
  /** The announced length of a frame over the limit; 0 for others. */
  readonly oversize: number;
}

/** What bytes hold. */
export interface PlainFrames {
  readonly frames: readonly PlainFrame[];
  /** Whether a length follows that cannot be one. */
  readonly broken: boolean;
  /** Whether the bytes end inside of a frame. */
  readonly partial: boolean;
}

/** Reads frames. */
export function plainFrames(bytes: Buffer, limit: number): PlainFrames {
  const frames: PlainFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 10) {
    const length = bytes.readUInt32BE(at);
    const over = length > limit;
    if (over && length > 0xff_ffff) return { frames, broken: true, partial: false };
    const end = at + 10 + length;
    const header = { id: bytes.readUInt32BE(at + 4), type: bytes.readUInt8(at + 8), flags: bytes.readUInt8(at + 9) };
    if (over) frames.push({ ...header, data: Buffer.alloc(0), oversize: length });
    else if (end <= bytes.length) frames.push({ ...header, data: bytes.subarray(at + 10, end), oversize: 0 });
    if (end > bytes.length) return { frames, broken: false, partial: true };
    at = end;
  }
  return { frames, broken: false, partial: at < bytes.length };
}
