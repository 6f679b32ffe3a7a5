// The requests of an exec on their way to the agent: the first message becomes the request's frame, the others frames of
// standard input. The wire has none for a resized terminal, so that is dropped.
import { Code, RpcError } from "@guestwire/rpc";
import { isStream, iterate, leave, type MessageIterator } from "@guestwire/rpc/transport";
import { type ExecInput, ExecRequestSchema } from "@guestwire/sandbox";
import { type ErrorParts, encodePayload } from "./answer.js";
import type { FrameConnection } from "./connection.js";
import { fixedBytes } from "./frame.js";
import { FrameNumber } from "./numbers.js";
import type { WireCall } from "./unary-call.js";

/** The most that one frame of standard input carries, in bytes, so that a large piece can wait in between. */
const pieceBytes = 64 * 1024;
const nothing = new Uint8Array(0);

type Payload = ExecInput["payload"];

/** The caller's stream of requests, read once. */
export class ExecRequests {
  readonly #call: WireCall;
  readonly #parts: ErrorParts;
  readonly #frameBytes: number;
  readonly #given: unknown;
  #source: MessageIterator<unknown> | undefined;
  #over = false;

  constructor(given: unknown, call: WireCall, parts: ErrorParts, frameBytes: number) {
    this.#given = given;
    this.#call = call;
    this.#parts = parts;
    this.#frameBytes = frameBytes;
  }

  /**
   * The payload of the request's frame.
   *
   * @throws {RpcError} Code.InvalidArgument when the first message is no `init`; whatever the stream fails with.
   */
  async first(): Promise<Uint8Array> {
    if (!isStream(this.#given)) throw this.#wrong("the requests are no iterable");
    const source = iterate(this.#given);
    this.#source = source;
    // Also where the call ends while the caller's stream has not given a message yet.
    this.#call.end.whenOver(() => this.leave());
    const result = await source.next();
    const payload = result.done ? undefined : payloadOf(result.value);
    if (result.done) this.#over = true;
    if (payload?.case !== "init") {
      this.leave();
      throw this.#wrong("the first message of an exec must be init, which says what to run");
    }
    return encodePayload(ExecRequestSchema, payload.value, this.#frameBytes, this.#call.trace, this.#parts);
  }

  /** Sends what follows, as fast as the agent takes it. Whatever goes wrong ends the call. */
  async send(connection: FrameConnection): Promise<void> {
    const { end } = this.#call;
    try {
      while (!this.#over) {
        const result = await (this.#source as MessageIterator<unknown>).next();
        if (this.#over) return;
        if (result.done) {
          this.#over = true;
          return this.#input(connection, nothing);
        }
        const payload = payloadOf(result.value);
        if (payload?.case === "stdin") await this.#sendAll(connection, payload.value);
        else if (payload?.case !== "resize") {
          const what = payload?.case === "init" ? "a second init" : "a message that is neither stdin nor resize";
          this.leave();
          return end.fail(Code.InvalidArgument, `the stream of requests has ${what}`, undefined);
        }
      }
    } catch (error) {
      this.#over = true;
      const { code, rawMessage } = RpcError.from(error);
      end.fail(code, `the stream of requests failed: ${rawMessage}`, undefined, error);
    }
  }

  /** The call is over: the caller's stream may clean up. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    leave(this.#source);
  }

  async #sendAll(connection: FrameConnection, bytes: unknown): Promise<void> {
    if (!(bytes instanceof Uint8Array)) {
      this.leave();
      throw this.#wrong(`stdin must be bytes, not ${typeof bytes}`);
    }
    const most = Math.max(1, Math.min(pieceBytes, this.#frameBytes - fixedBytes - this.#call.trace.length));
    // No bytes at all are no frame, as an empty one ends the input.
    for (let at = 0; at < bytes.length && !this.#over; at += most) {
      this.#input(connection, bytes.subarray(at, at + most));
      await connection.flushed();
    }
  }

  #input(connection: FrameConnection, bytes: Uint8Array): void {
    connection.write(FrameNumber.ExecStdin, this.#call.trace, bytes);
  }

  #wrong(text: string): RpcError {
    return new RpcError(Code.InvalidArgument, text, this.#parts);
  }
}

function payloadOf(message: unknown): Payload | undefined {
  return (message as Partial<ExecInput> | null | undefined)?.payload;
}
