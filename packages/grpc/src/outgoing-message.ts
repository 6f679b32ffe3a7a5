// A message on its way out, encoded but not yet in one piece. grpc-js copies what it is given into a frame of its own, so a
// piece made only for that would be one more copy of every message: a tenth of the time of large ones.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Codec, Sink } from "@guestwire/rpc/codec";

// Memory that messages are encoded into. Away while in use: a getter of a message may encode too.
let scratch: Sink | undefined;
// Larger memory than this is not kept.
const scratchSize = 65536;

/** What grpc-js asks of the bytes of a message that it frames, and no more. */
export class OutgoingMessage {
  readonly #sink: Sink;

  private constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Encodes a message, or an init of one. @throws {CodecError} when a value does not fit its field. */
  static encode(codec: Codec, message: MessageInitShape<Codec["schema"]>): OutgoingMessage {
    const sink = scratch ?? new Sink(Buffer.allocUnsafeSlow(4096));
    scratch = undefined;
    const made = new OutgoingMessage(sink);
    try {
      codec.encode(message, sink);
    } catch (error) {
      made.release();
      throw error;
    }
    return made;
  }

  get byteLength(): number {
    return this.#sink.length;
  }

  /** The same, by the name under which a client of grpc-js asks. */
  get length(): number {
    return this.#sink.length;
  }

  /** Whether parts of it are the message's own bytes, not copied yet. */
  get attached(): boolean {
    return this.#sink.attachments.length > 0;
  }

  /** Copies all of it. */
  copy(target: Uint8Array, start: number): void {
    const { buffer, attachments, at: end } = this.#sink;
    let read = 0;
    let write = start;
    for (const { at, data } of attachments) {
      write += buffer.copy(target, write, read, at);
      target.set(data, write);
      write += data.length;
      read = at;
    }
    buffer.copy(target, write, read, end);
  }

  /** To be called once it was sent, or will not be: its memory is for the next one. */
  release(): void {
    const sink = this.#sink;
    sink.rollback(0, 0, 0);
    if (sink.buffer.length <= scratchSize) scratch = sink;
  }
}
