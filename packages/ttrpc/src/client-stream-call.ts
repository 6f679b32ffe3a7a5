// A client's call in which at least one side streams: sends requests as the connection takes them, queues responses.
import { Code, type MessageStream, RpcError } from "@guestwire/rpc";
import { abandon } from "@guestwire/rpc/transport";
import { ClientCall } from "./client-call.js";
import { MessageQueue, type QueueOwner } from "./message-queue.js";
import type { PreparedMethod } from "./prepared-method.js";
import type { ReceiveBudget, StreamAccount } from "./receive-budget.js";
import { iterate, leave, type MessageIterator, type MessageSink, sendMessages } from "./send-messages.js";

/** What a streaming call asks of its session. */
export interface StreamSender {
  /** Writes one request message. */
  sendMessage(call: StreamClientCall, message: object): void;
  /** Tells the server that no more requests come. */
  sendEnd(call: StreamClientCall): void;
  /** Resolves when the connection can take more. */
  writable(): Promise<void> | undefined;
  /** Lets other work have its turn. */
  turn(): Promise<void>;
}

/**
 * A call with a stream of requests, of responses, or of both. It is itself what its queue and its sending talk to: objects with
 * functions for that would take 500 bytes of each open stream.
 */
export class StreamClientCall extends ClientCall implements QueueOwner, MessageSink {
  /** The responses, as the caller reads them. */
  readonly responses: MessageQueue<object>;
  /** The one request, or the stream of requests. */
  readonly request: object | MessageStream<object>;
  /** Whether this side has said that no more requests come. */
  requestsEnded: boolean;
  #account: StreamAccount | undefined;
  #requests: MessageIterator | undefined;
  #sender: StreamSender | undefined;

  constructor(method: PreparedMethod, target: string, request: object | MessageStream<object>) {
    super(method, target);
    this.request = request;
    this.requestsEnded = !method.clientStreams;
    this.responses = new MessageQueue<object>(this);
  }

  /** @internal The caller took a response. */
  consumed(bytes: number): void {
    this.#account?.consumed(bytes);
  }

  /** @internal The caller left the responses. */
  left(): void {
    this.fail(Code.Canceled, "the caller stopped reading", "canceled");
  }

  /** @internal */
  over(): boolean {
    return this.settled;
  }

  /** @internal */
  send(message: object): void {
    this.#sender?.sendMessage(this, message);
  }

  /** @internal */
  writable(): Promise<void> | undefined {
    return this.#sender?.writable();
  }

  /** @internal */
  turn(): Promise<void> | undefined {
    return this.#sender?.turn();
  }

  /** Begins to count what is received. */
  open(budget: ReceiveBudget): void {
    this.#account = budget.open(this.responses, () =>
      this.fail(Code.ResourceExhausted, "responses came faster than they were read", "overflow"),
    );
  }

  /** A response came. */
  deliver(message: object, bytes: number): void {
    this.begun = true;
    if (this.responses.push(message, bytes)) this.#account?.added(bytes);
  }

  /** The server ended the stream. */
  complete(): void {
    if (this.settled) return;
    this.release(false);
    this.responses.end();
  }

  /** Sends the requests one after the other, until they end or the call does. */
  pump(sender: StreamSender): void {
    this.#sender = sender;
    try {
      this.#requests = iterate(this.request as MessageStream<object>);
      if (this.#requests === undefined)
        throw this.error(Code.InvalidArgument, "the requests are no iterable", undefined);
    } catch (error) {
      return this.sent(error ?? new TypeError(`${error} was thrown`));
    }
    void sendMessages(this.#requests, this);
  }

  /** @internal */
  sent(error?: unknown): void {
    if (error !== undefined) {
      const { code, rawMessage } = RpcError.from(error);
      this.fail(code, `the stream of requests failed: ${rawMessage}`, undefined, error);
    } else if (!this.settled) {
      this.requestsEnded = true;
      this.#sender?.sendEnd(this);
    }
  }

  protected reject(error: RpcError): void {
    // What the server sent before it failed is still read; what this side gave up is not.
    this.responses.fail(error, error.reason === "canceled" || error.reason === "deadline");
  }

  protected override release(abandoned: boolean): void {
    super.release(abandoned);
    this.#account?.forget();
    // A generator that waits for something would otherwise hold on to it for ever.
    if (this.#requests !== undefined) leave(this.#requests);
    // Never sent, so never begun: who pushes into them would otherwise wait for ever.
    else if (this.method.clientStreams) abandon(this.request);
  }
}
