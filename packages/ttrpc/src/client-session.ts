// A client's side of one connection: numbers calls, writes requests, gives responses to their calls.
// No I/O: takes a link and a clock, so that a simulator can run it.
import { Code, RpcError } from "@guestwire/rpc";
import { CallTable } from "./call-table.js";
import { type CallHome, type ClientCall, UnaryClientCall } from "./client-call.js";
import { ClientControl, type ControlHome } from "./client-control.js";
import { StreamClientCall, type StreamSender } from "./client-stream-call.js";
import type { DeadlineWheel } from "./deadline-wheel.js";
import { writeRequestEnd } from "./envelope.js";
import { Flag, type FrameDecoder, FrameType } from "./frame.js";
import { type FrameHandler, FrameReader } from "./frame-reader.js";
import { Keepalive, type KeepaliveOptions } from "./keepalive.js";
import type { Limits } from "./limits.js";
import type { ChunkMemory, Clock, Link, LinkHandler, Timer } from "./link.js";
import { Output } from "./output.js";
import type { MessageCodec, PreparedMethod } from "./prepared-method.js";
import { ReceiveBudget } from "./receive-budget.js";
import { ResponseReader } from "./response-reader.js";

/** What a session tells its channel. */
export interface ClientSessionHandler {
  /** A call has ended or the connection can take more: a waiting call may be sent. */
  ready(): void;
  /** The connection is over; all its calls have ended. `error` says why where it was not asked for. */
  closed(error: Error | undefined): void;
}

/** What is not the same for all sessions of all channels. */
export interface ClientSessionOptions {
  /** The first call's id. Default 1. */
  readonly firstId?: number;
  /** Whether guestwire.control.v1 is spoken. Default true. */
  readonly control?: boolean;
  /** Whether and when to ask if the server is still there. Default never. */
  readonly keepalive?: KeepaliveOptions | undefined;
}

/** How long a closed connection may take to send what was written, in milliseconds. */
export const lingerMs = 5000;
const closedText = "the channel was closed";
// The last id that fits: after it the session takes no more calls.
const lastId = 0xffff_ffff;

/** One connection of a client. */
export class ClientSession implements LinkHandler, FrameHandler, CallHome, StreamSender, ControlHome {
  /** Frames for calls that had ended; they are expected after a cancellation and ignored. */
  lateFrames = 0;
  /** Whether the server has ever sent anything: a ttrpc server does not before it is asked. */
  heard = false;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #handler: ClientSessionHandler;
  readonly #reader: FrameReader;
  readonly #output: Output;
  readonly #budget: ReceiveBudget;
  readonly #calls = new CallTable<ClientCall>();
  readonly #control: ClientControl;
  readonly #responses: ResponseReader;
  readonly #keepalive: Keepalive | undefined;
  // Calls of the connection's own, which count nowhere.
  #asked: Map<number, ClientCall> | undefined;
  #nextId: number;
  #closed = false;
  #draining = false;
  #linger: Timer | undefined;
  readonly #gone = Promise.withResolvers<void>();

  constructor(
    link: Link,
    clock: Clock,
    wheel: DeadlineWheel,
    limits: Limits,
    handler: ClientSessionHandler,
    { firstId = 1, control = true, keepalive }: ClientSessionOptions = {},
  ) {
    this.#link = link;
    this.#clock = clock;
    this.#limits = limits;
    this.#handler = handler;
    this.#nextId = firstId;
    this.#reader = new FrameReader(link, clock, wheel, limits, this);
    this.#output = new Output(link, clock, () => handler.ready());
    this.#budget = new ReceiveBudget(this.#reader, clock, wheel, limits, () => this.#calls.size);
    this.#control = new ClientControl(this, control);
    this.#responses = new ResponseReader(this.#control, limits);
    this.#keepalive = keepalive === undefined ? undefined : new Keepalive(this, this.#control, clock, keepalive);
  }

  /** Begins to receive. */
  start(): void {
    this.#link.start(this);
  }

  /** Resolves when the connection is over and its socket closed. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** How many calls are under way. */
  get calls(): number {
    return this.#calls.size;
  }

  /** Whether a call can be sent at once. */
  get canSend(): boolean {
    return (
      !this.#closed &&
      this.#calls.size < this.#limits.connectionCalls &&
      this.#output.queuedBytes < this.#limits.sendBytes
    );
  }

  /** Whether the session takes no more calls ever. */
  get exhausted(): boolean {
    return this.#closed || this.#draining || this.#nextId > lastId;
  }

  /** Sends a call. To be asked only while `canSend` and not `exhausted`. */
  send(call: ClientCall): void {
    const unary = call instanceof UnaryClientCall;
    const { method } = call;
    const output = this.#output;
    if (call.wantsMetadata) this.#control.hello();
    const id = this.#nextId;
    // A request without its first message says so, as Rust servers make an empty message of it otherwise.
    const flags = unary ? 0 : method.clientStreams ? Flag.RemoteOpen | Flag.NoData : Flag.RemoteClosed;
    output.beginFrame(id, FrameType.Request, flags);
    try {
      output.raw(method.prefix);
      if (!method.clientStreams) this.#writePayload(method.input, (call as UnaryClientCall).request);
      writeRequestEnd(output, call.leftMs ?? call.deadlineAt - this.#clock.now(), call.metadata);
    } catch (error) {
      output.dropFrame();
      return call.fail(Code.InvalidArgument, (error as Error).message, undefined, error);
    }
    if (output.frameBytes > this.#limits.messageBytes) return this.#tooLarge(call, "request");
    this.#nextId = id + 2;
    call.id = id;
    call.home = this;
    this.#calls.add(call);
    if (this.#calls.size > 1) this.#budget.callBegan();
    // Before the frame is complete: a stream within this process may answer, and end the call, while it is written.
    if (!unary) (call as StreamClientCall).open(this.#budget);
    output.endFrame();
    this.#checkQueue();
    if (method.clientStreams && !call.settled) (call as StreamClientCall).pump(this);
  }

  sendMessage(call: StreamClientCall, message: object): void {
    const output = this.#output;
    output.beginFrame(call.id, FrameType.Data, 0);
    try {
      call.method.input.encode(message as never, output);
    } catch (error) {
      output.dropFrame();
      return call.fail(Code.InvalidArgument, (error as Error).message, undefined, error);
    }
    if (output.frameBytes > this.#limits.messageBytes) return this.#tooLarge(call, "message");
    output.endFrame();
    this.#checkQueue();
  }

  sendEnd(call: StreamClientCall): void {
    // Apart from the last message: Go and Rust servers take a closing frame with a message for an error.
    this.#output.emptyFrame(call.id, FrameType.Data, Flag.RemoteClosed | Flag.NoData);
  }

  writable(): Promise<void> | undefined {
    return this.#output.room(this.#limits.streamSendBytes);
  }

  turn(): Promise<void> {
    return new Promise((resolve) => this.#clock.later(resolve));
  }

  settled(call: ClientCall, abandoned: boolean): void {
    this.#calls.remove(call);
    if (abandoned && !this.#closed) this.#abandon(call);
    if (this.#draining && this.#calls.size === 0) this.close(Code.Canceled, closedText);
    else this.#handler.ready();
  }

  /** Takes no more calls; ends when the last one has ended. */
  drain(): void {
    this.#draining = true;
    if (this.#calls.size === 0) this.close(Code.Canceled, closedText);
  }

  /** Ends the connection; calls that are under way fail with this code. */
  close(code: Code, message: string, error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    const reason = code === Code.Canceled ? "canceled" : error instanceof RpcError ? error.reason : "connection_closed";
    this.#keepalive?.stop();
    for (const call of this.#calls) call.fail(code, message, reason, error);
    for (const call of this.#asked?.values() ?? []) call.fail(Code.Unavailable, message, "connection_closed");
    this.#reader.close();
    this.#output.flush();
    this.#output.shut();
    if (error === undefined) {
      // A server that reads nothing would keep the last bytes and so the socket for ever.
      this.#linger = this.#clock.after(lingerMs, () => this.#link.destroy());
      this.#link.end();
    } else this.#link.destroy();
    this.#handler.closed(error);
  }

  received(chunk: Buffer, memory?: ChunkMemory): void {
    this.heard = true;
    this.#keepalive?.heard();
    this.#reader.received(chunk, memory);
  }

  get wanted(): Buffer | undefined {
    return this.#reader.wanted;
  }

  drained(): void {
    this.#output.drained();
    if (!this.#closed) this.#handler.ready();
  }

  closed(error: Error | undefined): void {
    this.#linger?.cancel();
    this.#link.destroy();
    this.#gone.resolve();
    this.close(
      Code.Unavailable,
      `the connection was closed${error === undefined ? " by the server" : `: ${error.message}`}`,
      error ?? new Error("end of stream"),
    );
  }

  unreadable(message: string): void {
    this.close(Code.Internal, message, new RpcError(Code.Internal, message, { reason: "protocol" }));
  }

  get paused(): boolean {
    return this.#reader.paused;
  }

  ask(
    method: PreparedMethod,
    request: object,
    done: (error: RpcError | undefined, response?: object) => void,
  ): boolean {
    // The last id is left for the call that this may be said in front of.
    if (this.#closed || this.#nextId >= lastId || this.#output.queuedBytes >= this.#limits.sendBytes) return false;
    const target = this.#link.peer.address;
    const call = new UnaryClientCall(method, target, request, (response) => done(undefined, response), done);
    call.id = this.#nextId;
    this.#asked ??= new Map();
    const asked = this.#asked;
    call.home = { settled: ({ id }) => void asked.delete(id) };
    this.#nextId += 2;
    asked.set(call.id, call);
    this.#output.beginFrame(call.id, FrameType.Request, 0);
    this.#output.raw(method.prefix);
    this.#writePayload(method.input, request);
    this.#output.endFrame();
    return true;
  }

  dead(message: string): void {
    this.close(Code.Unavailable, message, new RpcError(Code.Unavailable, message, { reason: "connection_closed" }));
  }

  frame(decoder: FrameDecoder): void {
    const call = this.#calls.get(decoder.id) ?? this.#asked?.get(decoder.id);
    if (call === undefined) this.lateFrames++;
    else if (decoder.oversize > 0) {
      call.fail(
        Code.ResourceExhausted,
        `the server sent a message of ${decoder.oversize} bytes; the limit is ${this.#limits.messageBytes}`,
        "oversize",
      );
    } else if (decoder.type === FrameType.Response) this.#responses.response(call, decoder);
    else if (decoder.type === FrameType.Data) this.#responses.data(call, decoder);
    else if (decoder.type === FrameType.Request) {
      call.fail(Code.Internal, "the server sent a request on the call's stream", "protocol");
    }
    // Unknown types are for peers that know them.
  }

  #writePayload(codec: MessageCodec, request: object): void {
    const output = this.#output;
    const { at, attached } = output;
    output.uint32(0x1a);
    const mark = output.open();
    codec.encode(request as never, output);
    // An empty message is left out, as the field is then absent in proto3.
    if (output.at === mark + 1 && output.attached === attached) output.at = at;
    else output.close(mark, attached);
  }

  /**
   * Tells the server that nobody waits for this call; see docs/wire.md for why each form is harmless elsewhere. Of a unary
   * call it is told only that it was canceled: deadlines it keeps itself, and after a wrong answer it is done.
   */
  #abandon(call: ClientCall): void {
    if (!(call instanceof StreamClientCall)) {
      if (call.canceled) this.#control.cancel(call.id);
      return;
    }
    // Where no requests are open, a frame on the stream would tell something to ours alone. It may cross the stream's end, and
    // that ends the process of Go servers before 1.2.8. The deadline the server knows itself.
    if (call.requestsEnded) {
      if (call.deadlineAt > this.#clock.now()) this.#control.cancel(call.id);
      return;
    }
    const output = this.#output;
    const close = call.method.serverStreams ? Flag.RemoteClosed : 0;
    output.beginFrame(call.id, FrameType.Data, Flag.RemoteOpen | Flag.NoData | close);
    // Without RC Rust's server does not look at ND: its handler would count one more, empty message. No message begins
    // with a zero, so that it gets an error instead.
    if (close === 0) output.uint32(0);
    output.endFrame();
  }

  #tooLarge(call: ClientCall, what: string): void {
    const size = this.#output.frameBytes;
    this.#output.dropFrame();
    call.fail(
      Code.ResourceExhausted,
      `the ${what} takes ${size} bytes; the limit is ${this.#limits.messageBytes}`,
      "oversize",
    );
  }

  #checkQueue(): void {
    const queued = this.#output.queuedBytes;
    if (queued <= this.#limits.sendLimitBytes) return;
    const message = `the server does not read: ${queued} bytes wait to be sent`;
    this.close(Code.Unavailable, message, new RpcError(Code.Unavailable, message, { reason: "overflow" }));
  }
}
