// Asks whether a ttrpc server is at the other end of a fresh connection, as spinbox and its relatives do: ten zero
// bytes are a header with stream id 0, which no client uses, and every server answers with an error on that id. One
// question; no retry.
import { Code, RpcError } from "@guestwire/rpc";
import { FrameType, headerBytes, protocolMaxBytes } from "./frame.js";
import type { Link } from "./link.js";

const question: Buffer = Buffer.alloc(headerBytes);

/**
 * Sends the question over a link that was not started yet, and waits for the whole answer. The link is of no more use
 * then: the caller destroys it, whatever the outcome.
 *
 * @throws {RpcError} Code.Internal, reason `protocol`, when what answers is no ttrpc server.
 * @throws {Error} `ECONNRESET` when the connection ends before the answer does.
 */
export function ask(link: Link): Promise<void> {
  return new Promise((resolve, reject) => {
    const answer = new Answer();
    link.start({
      received(chunk) {
        try {
          if (answer.push(chunk)) resolve();
        } catch (error) {
          reject(error);
        }
      },
      drained() {},
      closed(cause) {
        const when = answer.received === 0 ? "without an answer" : `after ${answer.received} bytes of its answer`;
        const options = cause === undefined ? undefined : { cause };
        reject(Object.assign(new Error(`it closed the connection ${when}`, options), { code: "ECONNRESET" }));
      },
    });
    link.write(question);
  });
}

/** The answer, read off as it comes in pieces. */
class Answer {
  /** How many bytes have come. */
  received = 0;
  readonly #header: Buffer = Buffer.alloc(headerBytes);

  /** @returns Whether the answer is whole. @throws {RpcError} when it is none. */
  push(chunk: Buffer): boolean {
    const had = this.received;
    this.received += chunk.length;
    if (had < headerBytes) {
      chunk.copy(this.#header, had);
      if (this.received >= headerBytes) this.#check();
    }
    return this.received >= headerBytes && this.received >= headerBytes + this.#header.readUInt32BE(0);
  }

  // At once, and not after a body that never comes: what another protocol sends looks like a long one.
  #check(): void {
    const length = this.#header.readUInt32BE(0);
    const id = this.#header.readUInt32BE(4);
    const type = this.#header[8];
    if (id === 0 && type === FrameType.Response && length > 0 && length <= protocolMaxBytes) return;
    const text = /^[\x20-\x7e\r\n\t]+$/.test(this.#header.toString("latin1")) ? ` (${shown(this.#header)})` : "";
    throw new RpcError(
      Code.Internal,
      `it answers, but is no ttrpc server: its first bytes are ${this.#header.toString("hex")}${text}, no response on stream 0`,
      { reason: "protocol" },
    );
  }
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString("latin1"));
}
