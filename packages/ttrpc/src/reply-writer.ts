// What a server writes: responses, messages of streams, errors. Knows frames and encodings, no calls and no connection.
import { Code, type ErrorDetail, type Peer, RpcError } from "@guestwire/rpc";
import { withoutStack } from "@guestwire/rpc/transport";
import { writeErrorResponse, writeOkDetails } from "./envelope.js";
import { Flag, FrameType } from "./frame.js";
import type { Limits } from "./limits.js";
import type { Output } from "./output.js";
import type { MessageCodec } from "./prepared-method.js";
import type { ServerMethod } from "./server-methods.js";

// Below this an error could not even say that it is too large.
const leastErrorBytes = 256;

/** Writes replies into a connection's output. */
export class ReplyWriter {
  readonly #output: Output;
  readonly #limits: Limits;
  readonly #peer: Peer;

  constructor(output: Output, limits: Limits, peer: Peer) {
    this.#output = output;
    this.#limits = limits;
    this.#peer = peer;
  }

  /** An error of this connection, without a stack, which would only show our reading loop. */
  makeError(code: Code, message: string): RpcError {
    return withoutStack(() => new RpcError(code, message, { peer: this.#peer.address }));
  }

  /**
   * Writes the response of a call, up to the end of its frame.
   *
   * @param details What goes with it, beside an OK.
   * @returns Why it cannot be sent; then nothing is written.
   */
  response(
    id: number,
    method: ServerMethod,
    message: unknown,
    details: readonly ErrorDetail[] | undefined,
  ): RpcError | undefined {
    const output = this.#output;
    output.beginFrame(id, FrameType.Response, 0);
    if (details !== undefined) writeOkDetails(output, details);
    const { at, attached } = output;
    try {
      output.uint32(0x12);
      const mark = output.open();
      method.output.encode(checked(message) as never, output);
      // An empty message is an absent field, and so an empty frame.
      if (output.at === mark + 1 && output.attached === attached) output.at = at;
      else output.close(mark, attached);
    } catch (error) {
      return this.#unsendable(method, error);
    }
    return this.#tooLarge();
  }

  /** Writes a message of a stream, whole. @throws {RpcError} when it cannot be sent; then nothing is written. */
  data(id: number, method: ServerMethod, message: unknown): void {
    const output = this.#output;
    output.beginFrame(id, FrameType.Data, 0);
    let error: RpcError | undefined;
    try {
      method.output.encode(checked(message) as never, output);
      error = this.#tooLarge();
    } catch (thrown) {
      error = this.#unsendable(method, thrown);
    }
    if (error !== undefined) throw error;
    output.endFrame();
  }

  /** Writes the end of a stream of responses. @param details What goes with it. */
  end(id: number, details: readonly ErrorDetail[] | undefined): void {
    if (details !== undefined) return this.ok(id, details);
    this.#output.emptyFrame(id, FrameType.Data, Flag.RemoteClosed | Flag.NoData);
  }

  /** Writes a response without a message, whole. */
  ok(id: number, details: readonly ErrorDetail[]): void {
    this.#output.beginFrame(id, FrameType.Response, 0);
    writeOkDetails(this.#output, details);
    this.#output.endFrame();
  }

  /** Writes the answer to one of the connection's own questions. */
  answer(id: number, codec: MessageCodec, message: object): void {
    const output = this.#output;
    output.beginFrame(id, FrameType.Response, 0);
    output.uint32(0x12);
    const mark = output.open();
    codec.encode(message as never, output);
    output.close(mark, output.attached);
    output.endFrame();
  }

  /** Writes an error as a response, whole. */
  error(id: number, error: RpcError): void {
    const output = this.#output;
    output.beginFrame(id, FrameType.Response, 0);
    try {
      writeErrorResponse(output, error);
    } catch {
      // A handler's details may be anything; they must not end more than their own call.
      output.dropFrame();
      return this.error(id, this.makeError(error.code, "the error's details cannot be sent"));
    }
    if (output.frameBytes > Math.max(this.#limits.messageBytes, leastErrorBytes)) {
      output.dropFrame();
      return this.error(id, this.makeError(error.code, "the error's message and details are too large to be sent"));
    }
    output.endFrame();
  }

  #unsendable(method: ServerMethod, error: unknown): RpcError {
    this.#output.dropFrame();
    return new RpcError(Code.Internal, `the response of ${method.path} cannot be sent: ${(error as Error).message}`, {
      cause: error,
    });
  }

  #tooLarge(): RpcError | undefined {
    const { frameBytes } = this.#output;
    const { messageBytes } = this.#limits;
    if (frameBytes <= messageBytes) return undefined;
    this.#output.dropFrame();
    return this.makeError(
      Code.ResourceExhausted,
      `the response takes ${frameBytes} bytes; the limit is ${messageBytes}`,
    );
  }
}

function checked(message: unknown): object {
  if (typeof message === "object" && message !== null) return message;
  throw new Error(`the handler returned ${message === null ? "null" : typeof message} where a message is due`);
}
