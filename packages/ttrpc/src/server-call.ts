// One call on the server: the context that its handler sees, and the end of it. Knows its session as an interface only.
import { Code, Metadata, type Peer, type RpcError } from "@guestwire/rpc";
import { isPromise, ServerCall } from "@guestwire/rpc/transport";
import type { ResponseMetadata } from "./control-protocol.js";
import type { Deadlined } from "./deadline-wheel.js";
import { readMetadata } from "./envelope.js";
import type { Clock } from "./link.js";
import { MessageQueue, type QueueOwner } from "./message-queue.js";
import { protocol } from "./protocol.js";
import type { ReceiveBudget, StreamAccount } from "./receive-budget.js";
import { leave, type MessageIterator, type MessageSink } from "./send-messages.js";
import type { ServerMethod } from "./server-methods.js";

/** What a call asks of its session. */
export interface ServerCallHome {
  readonly clock: Clock;
  /** Nobody waits for the result any more: answer now. */
  expired(call: TtrpcServerCall): void;
  makeError(code: Code, message: string): RpcError;
  /** Writes one response message. */
  sendMessage(call: TtrpcServerCall, message: object): void;
  /** Resolves when the connection can take more. */
  writable(): Promise<void> | undefined;
  /** Writes the one response. */
  respond(call: TtrpcServerCall, message: unknown): void;
  /** The handler's responses are all sent. */
  sentAll(call: TtrpcServerCall): void;
  /** The handler failed, or its responses cannot be sent. */
  failed(call: TtrpcServerCall, error: unknown): void;
  /** Requests came faster than the handler read them. */
  overflowed(call: TtrpcServerCall): void;
}

const noMetadata = Buffer.alloc(0);
const noPairs = new Metadata();

/**
 * A call that a handler serves. It is itself what its queue and its sending talk to: objects with functions for that would take
 * 500 bytes of each open stream.
 */
export class TtrpcServerCall extends ServerCall implements Deadlined, QueueOwner, MessageSink {
  readonly id: number;
  readonly route: ServerMethod;
  /** Whether the client was told the end; the handler may still run. */
  answered = false;
  /** Whether the client has said that no more requests come. */
  requestsEnded = true;
  /** What a handler with a stream of responses gave; `undefined` for other handlers. */
  responses: MessageIterator | undefined = undefined;
  wheelNext: Deadlined | undefined = undefined;
  wheelPrevious: Deadlined | undefined = undefined;
  wheelSlot = -1;
  #home: ServerCallHome;
  #metadataBytes: Buffer = noMetadata;
  #metadataStart = 0;
  #metadataEnd = 0;
  #metadataDetached = false;
  #queue: MessageQueue<object> | undefined;
  #account: StreamAccount | undefined;

  constructor(id: number, route: ServerMethod, peer: Peer, deadlineAt: number, home: ServerCallHome) {
    super(route.method, route.path, peer, deadlineAt);
    this.id = id;
    this.route = route;
    this.#home = home;
  }

  /** Runs a handler that gives one response. */
  runSingle(request: object): void {
    let result: unknown;
    try {
      result = this.route.single(request as never, this);
    } catch (error) {
      return this.#home.failed(this, error);
    }
    if (!isPromise(result)) return this.#home.respond(this, result);
    this.detachMetadata();
    // Made a real promise: a thenable of somebody's own may throw, or settle twice.
    Promise.resolve(result).then(
      (message) => this.#home.respond(this, message),
      (error: unknown) => this.#home.failed(this, error),
    );
  }

  /** Remembers where the metadata lies; it is decoded when somebody asks. */
  holdMetadata(bytes: Buffer, start: number, end: number): void {
    this.#metadataBytes = bytes;
    this.#metadataStart = start;
    this.#metadataEnd = end;
  }

  /** Copies the metadata out of the receive buffer, which a long call would otherwise keep alive. */
  detachMetadata(): void {
    if (this.#metadataEnd === this.#metadataStart || this.#metadataDetached) return;
    const size = this.#metadataEnd - this.#metadataStart;
    const copy = Buffer.allocUnsafe(size);
    this.#metadataBytes.copy(copy, 0, this.#metadataStart, this.#metadataEnd);
    this.#metadataBytes = copy;
    this.#metadataEnd = size;
    this.#metadataStart = 0;
    this.#metadataDetached = true;
  }

  /** Prepares for a stream of requests, which the handler reads. */
  openRequests(budget: ReceiveBudget): MessageQueue<object> {
    this.requestsEnded = false;
    const queue = new MessageQueue<object>(this);
    this.#queue = queue;
    this.#account = budget.open(queue, () => this.#home.overflowed(this));
    return queue;
  }

  /** @internal The handler took a request. */
  consumed(bytes: number): void {
    this.#account?.consumed(bytes);
  }

  /** @internal The handler left the requests. What still comes is dropped by the queue. */
  left(): void {
    this.#account?.close();
  }

  /** @internal */
  over(): boolean {
    return this.answered;
  }

  /** @internal */
  send(message: object): void {
    this.#home.sendMessage(this, message);
  }

  /** @internal */
  writable(): Promise<void> | undefined {
    return this.#home.writable();
  }

  /** @internal */
  sent(error?: unknown): void {
    if (error === undefined) this.#home.sentAll(this);
    else this.#home.failed(this, error);
  }

  /** @internal */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#home.clock.later(resolve));
  }

  /** A request came. */
  deliver(message: object, bytes: number): void {
    if (this.#queue?.push(message, bytes)) this.#account?.added(bytes);
  }

  /** No more requests come. */
  endRequests(): void {
    this.requestsEnded = true;
    this.#account?.close();
    this.#queue?.end();
  }

  /** The handler has returned: what it has not read is dropped, so that it counts no more. */
  dropRequests(): void {
    this.requestsEnded = true;
    this.#account?.close();
    void this.#queue?.return();
  }

  /** Nobody waits for the result: fires the signal and makes the handler's reading fail. */
  giveUp(reason: RpcError): void {
    this.requestsEnded = true;
    this.#account?.close();
    this.#queue?.fail(reason, true);
    this.abort(reason);
    // Now, as the next response, with which sending would notice, may never come.
    if (this.responses !== undefined) leave(this.responses);
  }

  deadlinePassed(): void {
    this.giveUp(this.#home.makeError(Code.DeadlineExceeded, "the deadline passed"));
    this.#home.expired(this);
  }

  /** What the handler wants to send beside its response; `undefined` where that is nothing. */
  get sentMetadata(): ResponseMetadata | undefined {
    const { header = noPairs, trailer = noPairs } = this;
    return header.size + trailer.size === 0 ? undefined : { header, trailer };
  }

  override get protocol(): string {
    return protocol;
  }

  protected now(): number {
    return this.#home.clock.now();
  }

  protected readMetadata(): Metadata {
    if (this.#metadataEnd === this.#metadataStart) return new Metadata();
    const metadata = readMetadata(this.#metadataBytes, this.#metadataStart, this.#metadataEnd);
    this.#metadataBytes = noMetadata;
    this.#metadataStart = 0;
    this.#metadataEnd = 0;
    return metadata;
  }
}
