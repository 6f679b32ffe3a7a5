// A server's side of one connection: decodes requests, runs handlers, writes their results.
// No I/O: takes a link and a clock, so that a simulator can run it.
import { Code, RpcError } from "@guestwire/rpc";
import { isReleasable } from "@guestwire/rpc/transport";
import { CallTable } from "./call-table.js";
import { lingerMs } from "./client-session.js";
import { Flag, type FrameDecoder, FrameType } from "./frame.js";
import { type FrameHandler, FrameReader } from "./frame-reader.js";
import { IdWindow } from "./id-window.js";
import type { Limits } from "./limits.js";
import type { ChunkMemory, Clock, Link, LinkHandler, Timer } from "./link.js";
import { Output } from "./output.js";
import { ReceiveBudget } from "./receive-budget.js";
import { Refusals } from "./refusals.js";
import { ReplyWriter } from "./reply-writer.js";
import { RequestReader } from "./request-reader.js";
import { iterate, type MessageIterator, sendMessages } from "./send-messages.js";
import { type ServerCallHome, TtrpcServerCall } from "./server-call.js";
import { ServerControl } from "./server-control.js";
import type { ServerMethod } from "./server-methods.js";
import type { ServerShared } from "./server-shared.js";

/** One connection of a server. */
export class ServerSession implements LinkHandler, FrameHandler, ServerCallHome {
  readonly clock: Clock;
  /** Why the connection has ended, and the fault if it was one. */
  ended = "";
  fault: Error | undefined = undefined;
  readonly #link: Link;
  readonly #shared: ServerShared;
  readonly #limits: Limits;
  readonly #reader: FrameReader;
  readonly #output: Output;
  readonly #replies: ReplyWriter;
  readonly #budget: ReceiveBudget;
  readonly #requests: RequestReader;
  readonly #control: ServerControl;
  readonly #refusals: Refusals;
  readonly #ids = new IdWindow();
  // Calls that the client waits for.
  readonly #calls = new CallTable<TtrpcServerCall>();
  // Handlers that run, also those whose client was told the end already.
  #running = 0;
  #draining = false;
  #closed = false;
  #linger: Timer | undefined;

  constructor(link: Link, shared: ServerShared) {
    this.#link = link;
    this.#shared = shared;
    this.#limits = shared.limits;
    this.clock = shared.clock;
    this.#output = new Output(link, shared.clock);
    this.#replies = new ReplyWriter(this.#output, shared.limits, link.peer);
    this.#refusals = new Refusals(this.#replies, shared.limits.connectionCalls, () => this.#checkQueue());
    this.#reader = new FrameReader(link, shared.clock, shared.wheel, shared.limits, this);
    this.#budget = new ReceiveBudget(this.#reader, shared.clock, shared.wheel, shared.limits, () => this.#calls.size);
    this.#control = new ServerControl(this.#replies, (streamId) => {
      const call = this.#calls.get(streamId);
      if (call !== undefined) this.#abandoned(call);
    });
    this.#requests = new RequestReader(shared.router, shared.known, shared.limits);
  }

  /** Begins to receive. */
  start(): void {
    this.#link.start(this);
  }

  /** Refuses new calls and closes once the running ones are answered. */
  drain(): void {
    this.#draining = true;
    this.#closeIfIdle();
  }

  /** Ends the connection: handlers that run are told through their signals. `error` says why where it is a fault. */
  close(reason: RpcError, error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.ended = reason.rawMessage;
    this.fault = error;
    for (const call of this.#calls) {
      this.#shared.wheel.remove(call);
      call.answered = true;
      call.giveUp(reason);
    }
    this.#reader.close();
    this.#output.flush();
    this.#output.shut();
    if (error !== undefined) return this.#link.destroy();
    // A client that reads nothing would keep the last bytes and so the socket for ever.
    this.#linger = this.clock.after(lingerMs, () => this.#link.destroy());
    this.#link.end();
  }

  /** Ends the connection at once. */
  cut(reason: RpcError): void {
    this.close(reason, reason);
    this.#link.destroy();
  }

  received(chunk: Buffer, memory?: ChunkMemory): void {
    this.#reader.received(chunk, memory);
  }

  drained(): void {
    this.#output.drained();
  }

  closed(error: Error | undefined): void {
    const first = !this.#closed;
    // What the system took before the client ended its side is delivered all the same.
    this.close(this.makeError(Code.Canceled, "the client closed the connection"), error ?? new Error("end of stream"));
    if (first) this.fault = error;
    this.#linger?.cancel();
    this.#link.destroy();
    this.#shared.gone(this);
  }

  unreadable(message: string): void {
    this.close(this.makeError(Code.Internal, message), new RpcError(Code.Internal, message, { reason: "protocol" }));
  }

  makeError(code: Code, message: string): RpcError {
    return this.#replies.makeError(code, message);
  }

  frame(decoder: FrameDecoder): void {
    const { id, type } = decoder;
    // Even ids are refused whatever the type. Readiness probes rely on it: ten zero bytes must get an answer on id 0.
    if ((id & 1) === 0) {
      return this.#refusals.refuse(id, Code.InvalidArgument, "StreamID must be odd for client initiated streams");
    }
    if (type === FrameType.Request) this.#request(decoder);
    else if (type === FrameType.Data) this.#data(decoder);
    // Responses and unknown types are for peers that know them.
  }

  expired(call: TtrpcServerCall): void {
    this.#answerError(call, this.makeError(Code.DeadlineExceeded, "the deadline passed"));
    this.#closeIfIdle();
  }

  #request(decoder: FrameDecoder): void {
    const { id, buffer, start, end, flags, oversize } = decoder;
    if (oversize > 0) {
      const text = `message length ${oversize} exceed maximum message size of ${this.#limits.messageBytes}`;
      return this.#refusals.refuse(id, Code.ResourceExhausted, text);
    }
    if (!this.#ids.accept(id)) {
      return this.#refusals.refuse(id, Code.InvalidArgument, "StreamID cannot be re-used and must increment");
    }
    const method = this.#requests.read(buffer, start, end);
    // In front of the refusals: whoever cancels makes room.
    const { control } = this.#requests;
    if (control !== undefined && this.#shared.control) return this.#answerControl(id, control, buffer);
    if (this.#draining) return this.#refusals.refuse(id, Code.Unavailable, "the server is shutting down");
    if (this.#running >= this.#limits.connectionCalls || this.#shared.running >= this.#limits.serverCalls) {
      return this.#refusals.refuse(id, Code.ResourceExhausted, "too many calls are running");
    }
    if (method === undefined) this.#refusals.refuseWith(id, this.#requests.fault as RpcError);
    else this.#begin(id, method, buffer, flags);
  }

  /** Answers a question of guestwire.control.v1, which concerns this connection and nothing else. */
  #answerControl(id: number, method: string, bytes: Buffer): void {
    const { payloadStart: start, payloadEnd: end } = this.#requests.envelope;
    const error = this.#control.answer({ id, method, bytes, start, end });
    if (error !== undefined) this.#refusals.refuseWith(id, error);
    else this.#checkQueue();
  }

  #begin(id: number, method: ServerMethod, buffer: Buffer, flags: number): void {
    const { timeoutMs, payloadStart, payloadEnd, metadataPairs, metadataStart, metadataEnd } = this.#requests.envelope;
    if (timeoutMs <= 0) return this.#refusals.refuse(id, Code.DeadlineExceeded, "the deadline passed");
    const deadlineAt =
      timeoutMs === Number.POSITIVE_INFINITY
        ? timeoutMs
        : this.clock.now() + Math.min(timeoutMs, this.#limits.deadlineMs);
    const call = new TtrpcServerCall(id, method, this.#link.peer, deadlineAt, this);
    if (metadataPairs > 0) {
      call.holdMetadata(buffer, metadataStart, metadataEnd);
      // A handler may give the request's memory back before it looks at the metadata.
      if (isReleasable(buffer)) call.detachMetadata();
    }
    let request: object;
    // A client stream's first message may lie in the request; nothing in it and "no data" both mean there is none.
    const hasPayload = payloadEnd > payloadStart || !method.clientStreams;
    let first: object | undefined;
    try {
      if (hasPayload) first = method.input.decode(buffer, payloadStart, payloadEnd);
    } catch (error) {
      return this.#refusals.refuse(id, Code.Internal, `error unmarshalling payload: ${(error as Error).message}`);
    }
    this.#calls.add(call);
    this.#running++;
    this.#shared.running++;
    if (this.#calls.size > 1) this.#budget.callBegan();
    if (method.clientStreams) {
      request = call.openRequests(this.#budget);
      if (first !== undefined) call.deliver(first, payloadEnd - payloadStart);
      if ((flags & Flag.RemoteClosed) !== 0) call.endRequests();
    } else request = first as object;
    if (deadlineAt !== Number.POSITIVE_INFINITY) this.#shared.wheel.add(call);
    if (method.serverStreams) this.#runMany(call, request);
    else call.runSingle(request);
  }

  /** Sends the one response of a call, once the connection can take it. Until then the call counts as running. */
  respond(call: TtrpcServerCall, message: unknown): void {
    const { sendBytes } = this.#limits;
    if (!call.answered && this.#output.full(sendBytes)) {
      this.#output.whenBelow(sendBytes, () => this.#reply(call, message));
    } else this.#reply(call, message);
  }

  #reply(call: TtrpcServerCall, message: unknown): void {
    const error = call.answered
      ? undefined
      : this.#replies.response(call.id, call.route, message, this.#control.details(call.sentMetadata));
    if (error === undefined && !call.answered) {
      this.#settle(call);
      this.#output.endFrame();
      this.#checkQueue();
    }
    this.#finish(call, error);
  }

  #runMany(call: TtrpcServerCall, request: object): void {
    call.detachMetadata();
    try {
      // The router has checked that it is an iterable.
      call.responses = iterate(call.route.many(request as never, call)) as MessageIterator;
    } catch (error) {
      return this.failed(call, error);
    }
    void sendMessages(call.responses, call);
  }

  failed(call: TtrpcServerCall, error: unknown): void {
    this.#finish(call, RpcError.from(error));
  }

  sentAll(call: TtrpcServerCall): void {
    if (!call.answered) {
      this.#settle(call);
      this.#replies.end(call.id, this.#control.details(call.sentMetadata));
    }
    this.#finish(call, undefined);
  }

  #data(decoder: FrameDecoder): void {
    const { id, buffer, start, end, flags, oversize } = decoder;
    const call = this.#calls.get(id);
    const closes = (flags & Flag.RemoteClosed) !== 0;
    const noData = (flags & Flag.NoData) !== 0;
    // Our own clients say with this that nobody waits any more, whatever its data is; others never send it.
    const abandons = noData && (flags & Flag.RemoteOpen) !== 0;
    if (call === undefined) {
      // A client that ends its side, or leaves, while we end ours does nothing wrong.
      if (!abandons && (end > start || oversize > 0 || !noData))
        this.#refusals.refuseOnce(id, "StreamID is no longer active");
      return;
    }
    if (abandons) return this.#abandoned(call);
    if (!call.route.clientStreams) {
      // Go's server crashes here. A half-close says nothing new; a message has no place here, and the call goes on.
      if (end > start || oversize > 0) this.#refusals.refuseOnce(id, "the call takes no stream of requests");
      return;
    }
    if (oversize > 0) {
      const text = `message length ${oversize} exceed maximum message size of ${this.#limits.messageBytes}`;
      return this.#giveUp(call, this.makeError(Code.ResourceExhausted, text));
    }
    if (call.requestsEnded) {
      if (end === start && noData) return;
      return this.#giveUp(
        call,
        this.makeError(Code.InvalidArgument, "data came after the stream of requests was closed"),
      );
    }
    if (end > start || !noData) {
      try {
        call.deliver(call.route.input.decode(buffer, start, end), end - start);
      } catch (error) {
        const text = `error unmarshalling payload: ${(error as Error).message}`;
        return this.#giveUp(call, this.makeError(Code.Internal, text));
      }
    }
    if (closes) call.endRequests();
  }

  #abandoned(call: TtrpcServerCall): void {
    this.#settle(call);
    call.giveUp(this.makeError(Code.Canceled, "the client canceled the call"));
    this.#closeIfIdle();
  }

  /** Ends a call whose client still waits. */
  #giveUp(call: TtrpcServerCall, error: RpcError): void {
    call.giveUp(error);
    this.#answerError(call, error);
    this.#closeIfIdle();
  }

  sendMessage(call: TtrpcServerCall, message: object): void {
    if (call.answered) return;
    this.#replies.data(call.id, call.route, message);
    this.#checkQueue();
  }

  writable(): Promise<void> | undefined {
    return this.#output.room(this.#limits.streamSendBytes);
  }

  overflowed(call: TtrpcServerCall): void {
    this.#giveUp(call, this.makeError(Code.ResourceExhausted, "requests came faster than they were read"));
  }

  #answerError(call: TtrpcServerCall, error: RpcError): void {
    if (call.answered) return;
    this.#settle(call);
    this.#refusals.refuseWith(call.id, this.#control.withMetadata(error, call.sentMetadata));
  }

  /** The handler has returned. @param error What it failed with; the client gets it if it still waits. */
  #finish(call: TtrpcServerCall, error: RpcError | undefined): void {
    if (error !== undefined) this.#answerError(call, error);
    call.dropRequests();
    this.#running--;
    this.#shared.running--;
    this.#closeIfIdle();
  }

  /** Nothing more is sent for this call. */
  #settle(call: TtrpcServerCall): void {
    if (call.answered) return;
    call.answered = true;
    this.#shared.wheel.remove(call);
    this.#calls.remove(call);
  }

  #closeIfIdle(): void {
    if (this.#draining && this.#calls.size === 0) this.close(this.makeError(Code.Unavailable, "the server was closed"));
  }

  #checkQueue(): void {
    if (this.#output.queuedBytes > this.#limits.sendLimitBytes) this.unreadable("the client does not read");
  }
}
