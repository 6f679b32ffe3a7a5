// One frame of ArcBox's V2 format, to bytes. Knows no message, no socket and no meaning of a number.

/** The field in front of every frame, which counts what comes behind it, in bytes. */
export const lengthBytes = 4;

/** What every frame has behind its length, in bytes: the number (u32) and the trace's length (u16). */
export const fixedBytes = 6;

/** The longest frame that real hosts take, in bytes as its length field counts: number, trace and payload. */
export const protocolMaxBytes: number = 16 << 20;

/** The longest trace id, in bytes: its length is 16 bits. */
export const traceMaxBytes = 0xffff;

/** A frame as it was received. */
export interface Frame {
  /** Which message this is. */
  readonly type: number;
  /** The trace id, not yet decoded; empty where there is none. */
  readonly trace: Uint8Array;
  /** What the number says it is; a view of received memory. */
  readonly payload: Uint8Array;
}

/** The bytes on the wire cannot be frames; the connection is of no more use. */
export class FrameError extends Error {
  /** Whether only its size is wrong: it is over the limit. */
  readonly oversize: boolean;

  constructor(message: string, oversize = false) {
    super(message);
    this.oversize = oversize;
  }

  override get name(): string {
    return "FrameError";
  }
}

// Up to here a payload is copied behind its header, as two writes cost more than the copy.
const copiedBytes = 16 * 1024;

/**
 * Encodes a frame.
 *
 * @param type A number from 0 to 2^32-1.
 * @param trace At most {@link traceMaxBytes} bytes.
 * @returns The pieces to send, in order; a large payload is one of them as it is, so it must not be changed until it is sent.
 */
export function encodeFrame(type: number, trace: Uint8Array, payload: Uint8Array): Uint8Array[] {
  const copied = payload.length <= copiedBytes;
  const start = lengthBytes + fixedBytes + trace.length;
  const head = Buffer.allocUnsafe(copied ? start + payload.length : start);
  head.writeUInt32BE(fixedBytes + trace.length + payload.length, 0);
  head.writeUInt32BE(type, 4);
  head.writeUInt16BE(trace.length, 8);
  head.set(trace, lengthBytes + fixedBytes);
  if (!copied) return [head, payload];
  head.set(payload, start);
  return [head];
}
