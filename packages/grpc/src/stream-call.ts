// A client's call in which at least one side streams: sends requests as the connection takes them, takes responses in as
// they are read.
import type { Metadata as GrpcMetadata } from "@grpc/grpc-js";
import { Code, type MessageStream, RpcError } from "@guestwire/rpc";
import { abandon, isStream, iterate, leave, type MessageIterator } from "@guestwire/rpc/transport";
import { type CallHome, ClientCall, type GrpcCall } from "./client-call.js";
import { keepOrder } from "./ordered-status.js";
import type { PreparedMethod } from "./prepared-method.js";
import { type QueueOwner, ResponseQueue } from "./response-queue.js";

const noContext = Object.freeze({});
// A source that never waits for anything would otherwise keep the event loop to itself.
const messagesPerTurn = 256;

/** A call with a stream of requests, of responses, or of both. */
export class StreamCall extends ClientCall implements QueueOwner {
  /** The responses, as the caller reads them. */
  readonly responses: ResponseQueue;
  // The one request (as bytes from `prepare` on), or the stream of requests.
  #request: object | MessageStream<object>;
  #source: MessageIterator<object> | undefined;
  #sourceEnded = false;
  // Whether the server's next message was asked for.
  #reading = false;

  constructor(method: PreparedMethod, home: CallHome, request: object | MessageStream<object>) {
    super(method, home);
    this.#request = request;
    this.#source = undefined;
    this.responses = new ResponseQueue(this, home.limits.streamMessages, home.limits.streamBytes);
  }

  prepare(): void {
    if (!this.method.clientStreams) this.#request = this.encode(this.#request);
  }

  override onReceiveMetadata(metadata: GrpcMetadata): void {
    if (this.call !== undefined && this.method.serverStreams) keepOrder(this.call);
    super.onReceiveMetadata(metadata);
  }

  onReceiveMessage(bytes: Buffer): void {
    this.#reading = false;
    if (this.settled) return;
    const message = this.decode(bytes);
    if (message === undefined) return;
    this.responses.push(message, bytes.length);
    if (this.responses.room) this.#read();
  }

  /** @internal The reader has taken a message. */
  hungry(): void {
    if (!this.settled && !this.#reading) this.#read();
  }

  /** @internal The reader is gone. */
  left(): void {
    this.fail(Code.Canceled, "the caller stopped reading", "canceled");
  }

  protected begin(call: GrpcCall): void {
    this.#read();
    if (this.method.clientStreams) return void this.#pump(call);
    call.sendMessageWithContext(noContext, this.#request as Buffer);
    call.halfClose();
  }

  protected complete(): void {
    this.release(false);
    this.responses.end();
  }

  protected reject(error: RpcError): void {
    // What the server sent before it failed is still read; what this side gave up is not.
    this.responses.fail(error, error.reason === "canceled" || error.reason === "deadline");
  }

  protected override release(abandoned: boolean): void {
    super.release(abandoned);
    if (!this.method.clientStreams) return;
    if (this.#source === undefined) abandon(this.#request);
    else if (!this.#sourceEnded) leave(this.#source);
  }

  #read(): void {
    this.#reading = true;
    this.call?.startRead();
  }

  async #pump(call: GrpcCall): Promise<void> {
    try {
      if (!isStream(this.#request)) {
        return this.fail(Code.InvalidArgument, "the requests are no iterable", undefined);
      }
      const source = iterate(this.#request as MessageStream<object>);
      this.#source = source;
      for (let sent = 1; !this.settled; sent++) {
        const next = source.next();
        const result = next instanceof Promise || !("done" in next) ? await next : next;
        if (this.settled) return;
        if (result.done) {
          this.#sourceEnded = true;
          return call.halfClose();
        }
        await this.#send(call, result.value);
        if (sent % messagesPerTurn === 0) await new Promise(setImmediate);
      }
    } catch (error) {
      const { code, rawMessage } = RpcError.from(error);
      this.fail(code, `the stream of requests failed: ${rawMessage}`, undefined, error);
    }
  }

  /** Resolves when the next one may be sent; never where the call ends before. */
  #send(call: GrpcCall, message: object): Promise<void> | undefined {
    let bytes: Buffer;
    try {
      bytes = this.encode(message);
    } catch (error) {
      this.failWith(RpcError.from(error), true);
      return undefined;
    }
    return new Promise((callback) => call.sendMessageWithContext({ callback: () => callback() }, bytes));
  }
}
