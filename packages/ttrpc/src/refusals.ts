// What a connection of a server answers without a handler: frames and requests that cannot be served. Knows no calls.
import { Code, type RpcError } from "@guestwire/rpc";
import type { ReplyWriter } from "./reply-writer.js";

/** Refuses on behalf of one connection. */
export class Refusals {
  readonly #replies: ReplyWriter;
  readonly #mostKept: number;
  readonly #written: () => void;
  // Streams that had an error answer because of late data: one answer each is enough.
  #refused: Set<number> | undefined;

  /**
   * @param mostKept How many streams are remembered as refused.
   * @param written Told after each refusal: whoever only provokes them and reads none must not fill the memory with them.
   */
  constructor(replies: ReplyWriter, mostKept: number, written: () => void) {
    this.#replies = replies;
    this.#mostKept = mostKept;
    this.#written = written;
  }

  /** Answers with an error. */
  refuse(id: number, code: Code, message: string): void {
    this.refuseWith(id, this.#replies.makeError(code, message));
  }

  /** Answers what came for a stream that takes it not or no more, the first time. */
  refuseOnce(id: number, message: string): void {
    this.#refused ??= new Set();
    if (this.#refused.has(id)) return;
    if (this.#refused.size >= this.#mostKept) this.#refused.clear();
    this.#refused.add(id);
    this.refuse(id, Code.InvalidArgument, message);
  }

  /** Answers with this error. */
  refuseWith(id: number, error: RpcError): void {
    this.#replies.error(id, error);
    this.#written();
  }
}
