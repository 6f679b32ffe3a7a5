// The frames of a multiplexed connection: eight bytes of header, connection id and length, big-endian, and bytes of that
// connection. Decides how bytes are cut into frames; knows no streams and no connections.

/** How long a frame's header is. */
export const muxHeaderBytes = 8;
/** How many bytes one frame may carry: the largest message of ttrpc with its header. */
export const muxPayloadBytes: number = 10 + (4 << 20);
/**
 * How many bytes of a frame every reader can take: Go's ttrpc reads through a buffer of this size, and its mux fails a read
 * whose buffer is smaller than the next frame.
 */
export const muxSafeBytes = 4096;

const ttrpcHeaderBytes = 10;

/** Cuts the bytes that one connection sends. */
export class MuxCutter {
  readonly #id: number;
  // Where in the stream of ttrpc messages the next byte is: in a header, with what is known of it, or in a message's data.
  #headerRead = 0;
  #length = 0;
  #left = 0;

  /** @param id The connection's id. */
  constructor(id: number) {
    this.#id = id;
  }

  /**
   * Turns bytes into frames: headers and pieces of the bytes, in the order in which they go out.
   *
   * Whole small messages share a frame of up to 4,096 bytes. Only in the data of a message, where Go's reader asks for all
   * that is left of it, a frame may be longer, up to that. So a large message is two frames or a few, not a thousand: Go
   * closes everything when 256 of them wait.
   */
  cut(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const room = Math.max(muxSafeBytes, Math.min(this.#left, muxPayloadBytes));
      const end = Math.min(at + room, bytes.length);
      const piece = bytes.subarray(at, end);
      this.#follow(piece);
      const header = Buffer.allocUnsafe(muxHeaderBytes);
      header.writeUInt32BE(this.#id, 0);
      header.writeUInt32BE(piece.length, 4);
      pieces.push(header, piece);
      at = end;
    }
    return pieces;
  }

  /** Moves over bytes, to know what is left of the message that the next byte belongs to. */
  #follow(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const inData = Math.min(this.#left, bytes.length - at);
      this.#left -= inData;
      at += inData;
      while (this.#left === 0 && at < bytes.length && this.#headerRead < ttrpcHeaderBytes) {
        if (this.#headerRead < 4) this.#length = this.#length * 256 + (bytes[at] as number);
        this.#headerRead++;
        at++;
      }
      if (this.#headerRead < ttrpcHeaderBytes) continue;
      this.#left = this.#length;
      this.#length = 0;
      this.#headerRead = 0;
    }
  }
}

/** Who takes what a {@link MuxReader} finds. */
export interface MuxReaderHandler {
  /** Bytes of a connection came: a whole frame's, or a part of them. */
  bytes(id: number, piece: Buffer): void;
}

/** A frame that no sender makes. What follows it cannot be told apart. */
export class MuxFrameError extends Error {}

/** Finds frames in bytes as they come. Keeps nothing but a header that is not whole. */
export class MuxReader {
  readonly #handler: MuxReaderHandler;
  readonly #header: Buffer = Buffer.alloc(muxHeaderBytes);
  #headerRead = 0;
  #id = 0;
  #left = 0;

  constructor(handler: MuxReaderHandler) {
    this.#handler = handler;
  }

  /** Whether the bytes so far end between two frames. */
  get betweenFrames(): boolean {
    return this.#left === 0 && this.#headerRead === 0;
  }

  /** @throws {MuxFrameError} when a frame is longer than any may be. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const end = Math.min(at + this.#left, chunk.length);
        this.#left -= end - at;
        this.#handler.bytes(this.#id, chunk.subarray(at, end));
        at = end;
        continue;
      }
      const taken = chunk.copy(this.#header, this.#headerRead, at, at + muxHeaderBytes - this.#headerRead);
      this.#headerRead += taken;
      at += taken;
      if (this.#headerRead < muxHeaderBytes) return;
      this.#headerRead = 0;
      this.#id = this.#header.readUInt32BE(0);
      this.#left = this.#header.readUInt32BE(4);
      if (this.#left <= muxPayloadBytes) continue;
      throw new MuxFrameError(
        `connection ${this.#id}: a frame of ${this.#left} bytes was announced; the limit is ${muxPayloadBytes}`,
      );
    }
  }
}
