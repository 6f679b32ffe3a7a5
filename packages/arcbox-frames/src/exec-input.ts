// The requests of an exec as its handler reads them: first the request's own frame as `init`, then each frame of standard
// input, read from the connection when the handler asks. Nothing is queued here.
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, type Peer, RpcError } from "@guestwire/rpc";
import { codecFor } from "@guestwire/rpc/codec";
import type { FrameConnection } from "./connection.js";
import { FrameNumber, numberText } from "./numbers.js";
import { clientGone } from "./server-call.js";

type Result = IteratorResult<Message, undefined>;

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** The stream that an exec's handler gets. It can be read once. */
export class ExecInputStream implements AsyncIterableIterator<Message, undefined, void> {
  readonly #connection: FrameConnection;
  readonly #peer: Peer;
  readonly #make: (payload: object) => Message;
  #init: Message | undefined;
  #ended = false;
  // Reads of a handler that asks for several messages at once, one after the other.
  #last: Promise<unknown> = Promise.resolve();

  /** @param init The message of the request's frame. */
  constructor(connection: FrameConnection, peer: Peer, method: DescMethod, init: Message) {
    this.#connection = connection;
    this.#peer = peer;
    const codec = codecFor(method.input);
    this.#make = (payload) => codec.create({ payload } as never);
    this.#init = this.#make({ case: "init", value: init });
  }

  next(): Promise<Result> {
    const result = this.#last.then(() => this.#read());
    this.#last = result.catch(() => {});
    return result;
  }

  /** The handler reads no more; what still comes is dropped with the connection, which ends after the call. */
  async return(): Promise<Result> {
    this.#ended = true;
    this.#init = undefined;
    return finished;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #read(): Promise<Result> {
    const init = this.#init;
    this.#init = undefined;
    if (init !== undefined) return { done: false, value: init };
    if (this.#ended) return finished;
    const frame = await this.#connection.read();
    if (this.#ended) return finished;
    if (frame === undefined) {
      this.#ended = true;
      throw clientGone(this.#peer);
    }
    if (frame.type !== FrameNumber.ExecStdin) {
      this.#ended = true;
      const text = `the client sent ${numberText(frame.type)} while its exec runs, where only standard input may come`;
      const error = new RpcError(Code.Internal, text, { peer: this.#peer.address, reason: "protocol" });
      this.#connection.destroy(error);
      throw error;
    }
    if (frame.payload.length > 0) {
      // A copy, so that a small piece that is kept does not keep all that came with it.
      return { done: false, value: this.#make({ case: "stdin", value: new Uint8Array(frame.payload) }) };
    }
    this.#ended = true;
    return finished;
  }
}
