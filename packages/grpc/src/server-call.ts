// One call on a server: feeds the handler and sends what it gives, straight on grpc-js' own call, so that no Node stream
// with its queue stands between a handler and HTTP/2's flow control. Knows no socket.
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { Metadata as GrpcMetadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { Code, type Metadata, RpcError } from "@guestwire/rpc";
import { isPromise, iterate, leave, type MessageIterator, ServerCall, withoutStack } from "@guestwire/rpc/transport";
import { fromGrpcMetadata } from "./metadata.js";
import { OutgoingMessage } from "./outgoing-message.js";
import { protocol } from "./protocol.js";
import { RequestStream } from "./request-stream.js";
import type { ServerConnection, ServerMethod, ServerShared } from "./server-shared.js";
import { errorStatus, okStatus, responseHeader } from "./server-status.js";
import { deadlineSlackMs } from "./times.js";
import { type Decoding, isWithinMessage } from "./within-message.js";

type InterceptingServerListener = Parameters<ServerInterceptingCallInterface["start"]>[0];

// What is written of one stream and not yet sent, from where its handler waits: as much as the window of most clients, so
// that the next window finds something to send. Twice and four times as much brought nothing that could be measured.
const streamSendBytes = 64 * 1024;
// What a message in the queue costs beside its bytes.
const messageBytes = 128;
const succeeded = Object.freeze({ code: 0, details: "", metadata: null });
const ignored = (): void => {};

/** A call that a handler serves. */
export class GrpcServerCall extends ServerCall implements InterceptingServerListener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;
  readonly #route: ServerMethod;
  readonly #connection: ServerConnection;
  readonly #shared: ServerShared;
  #received: GrpcMetadata | undefined;
  #request: Message | undefined;
  #requests: RequestStream | undefined;
  #responses: MessageIterator<unknown> | undefined;
  #headerSent = false;
  // Whether the client was told the end or has left; the handler may still run.
  #over = false;
  #unsent = 0;
  #roomFor: (() => void) | undefined;

  constructor(
    call: ServerInterceptingCallInterface,
    stream: ServerHttp2Stream,
    route: ServerMethod,
    connection: ServerConnection,
    shared: ServerShared,
  ) {
    super(route.method, route.path, connection.peer, monotonic(call.getDeadline()));
    this.#call = call;
    this.#stream = stream;
    this.#route = route;
    this.#connection = connection;
    this.#shared = shared;
  }

  /** Begins to receive. */
  start(): void {
    this.#call.start(this);
  }

  onReceiveMetadata(metadata: GrpcMetadata): void {
    this.#received = metadata;
    if (!this.#route.clientStreams) return this.#call.startRead();
    this.#requests = new RequestStream(() => this.#call.startRead());
    this.#run(this.#requests);
  }

  onReceiveMessage(bytes: Buffer): void {
    if (this.#over) return;
    let message: Message;
    try {
      message = this.#route.decode(bytes);
    } catch (error) {
      const text = `error unmarshalling payload: ${(error as Error).message}`;
      return this.#giveUp(this.#error(Code.Internal, text), true);
    }
    if (this.#requests !== undefined) return this.#requests.push(message);
    if (this.#request !== undefined) {
      return this.#giveUp(this.#error(Code.Unimplemented, `${this.path} takes one request and got several`), true);
    }
    this.#request = message;
    this.#call.startRead();
  }

  onReceiveHalfClose(): void {
    if (this.#over) return;
    if (isWithinMessage(this.#call as Decoding)) {
      return this.#giveUp(this.#error(Code.Internal, "the request ended inside of a message"), true);
    }
    const requests = this.#requests;
    // A client on Node that gives a stream up ends it first and resets it then, both in one write. By the next turn
    // `onCancel` has come, and what was given up does not look complete to the handler.
    if (requests !== undefined) return void setImmediate(() => requests.end());
    const request = this.#request;
    this.#request = undefined;
    if (request !== undefined) return this.#run(request);
    this.#giveUp(this.#error(Code.Unimplemented, `${this.path} takes one request and got none`), true);
  }

  onCancel(): void {
    // Told after every call, also after those that have come to their own end.
    if (!this.#over) this.#giveUp(this.#whyCanceled(), false);
    if (!this.#stream.readableEnded && !this.#stream.closed) setImmediate(() => this.#endStream());
  }

  override get protocol(): string {
    return protocol;
  }

  protected now(): number {
    return performance.now();
  }

  protected readMetadata(): Metadata {
    return fromGrpcMetadata(this.#received as GrpcMetadata);
  }

  #run(request: Message | RequestStream): void {
    const { limits } = this.#shared;
    if (this.#shared.running >= limits.serverCalls || this.#connection.running >= limits.connectionCalls) {
      return this.#giveUp(this.#error(Code.ResourceExhausted, "too many calls are running"), true);
    }
    this.#shared.running++;
    this.#connection.running++;
    if (this.#route.serverStreams) void this.#runMany(request);
    else this.#runSingle(request);
  }

  #runSingle(request: Message | RequestStream): void {
    let result: unknown;
    try {
      result = this.#route.single(request, this);
    } catch (error) {
      return this.#done(RpcError.from(error));
    }
    if (!isPromise(result)) return this.#respond(result);
    // Made a real promise: a thenable of somebody's own may throw, or settle twice.
    Promise.resolve(result).then(
      (message) => this.#respond(message),
      (error: unknown) => this.#done(RpcError.from(error)),
    );
  }

  #respond(message: unknown): void {
    try {
      // In one turn with the status, so that all of the response goes out in one write.
      if (!this.#over) this.#transmit(message, ignored);
      this.#done(undefined);
    } catch (error) {
      this.#done(RpcError.from(error));
    }
  }

  async #runMany(request: Message | RequestStream): Promise<void> {
    let finished = false;
    try {
      const responses = iterate(this.#route.many(request, this));
      this.#responses = responses;
      while (!this.#over) {
        const next = responses.next();
        // A synchronous iterator's result is used as it is: an await for each message would cost more than the rest.
        const result = next instanceof Promise || !("done" in next) ? await next : next;
        finished = result.done === true;
        if (finished || this.#over) break;
        const room = this.#send(result.value);
        if (room !== undefined) await room;
      }
      this.#done(undefined);
    } catch (error) {
      this.#done(RpcError.from(error));
    }
    if (!finished && this.#responses !== undefined) leave(this.#responses);
  }

  /** Sends a message of a stream. @returns A promise where the handler must wait before it makes the next one. */
  #send(message: unknown): Promise<void> | undefined {
    let size = messageBytes;
    size += this.#transmit(message, () => {
      this.#unsent -= size;
      if (this.#unsent < streamSendBytes) this.#release();
    });
    this.#unsent += size;
    if (this.#unsent < streamSendBytes || this.#over) return undefined;
    return new Promise((resolve) => {
      this.#roomFor = resolve;
    });
  }

  #release(): void {
    const resolve = this.#roomFor;
    this.#roomFor = undefined;
    resolve?.();
  }

  /**
   * Sends a message, and the header before it.
   *
   * @param sent Called in a later turn, when it is on its way.
   * @returns The size of the message.
   * @throws {RpcError} when either of them cannot be sent; then nothing of the message was.
   */
  #transmit(message: unknown, sent: () => void): number {
    const { sendMessageBytes } = this.#shared.limits;
    let outgoing: OutgoingMessage;
    try {
      outgoing = OutgoingMessage.encode(this.#route.output, checked(message) as never);
    } catch (error) {
      const text = `the response of ${this.path} cannot be sent: ${(error as Error).message}`;
      throw new RpcError(Code.Internal, text, { cause: error });
    }
    try {
      const { byteLength } = outgoing;
      if (byteLength > sendMessageBytes) {
        const text = `message length ${byteLength} exceed maximum message size of ${sendMessageBytes}`;
        throw new RpcError(Code.ResourceExhausted, text);
      }
      this.#sendHeader();
      this.#call.sendMessage(outgoing, sent);
      return byteLength;
    } finally {
      outgoing.release();
    }
  }

  #sendHeader(): void {
    if (this.#headerSent || this.header === undefined) return;
    this.#headerSent = true;
    this.#call.sendMetadata(responseHeader(this.header, this.#shared.limits.metadataBytes));
  }

  /** The handler has returned. @param error What it failed with; the client gets it if it still waits. */
  #done(error: RpcError | undefined): void {
    this.#shared.running--;
    this.#connection.running--;
    this.#answer(error);
    this.#requests?.end();
  }

  #answer(error: RpcError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const { metadataBytes } = this.#shared.limits;
    try {
      this.#sendHeader();
      if (error === undefined) {
        const status = this.trailer === undefined ? succeeded : okStatus(this.trailer, metadataBytes);
        return this.#call.sendStatus(status);
      }
      this.#call.sendStatus(errorStatus(error, this.trailer, metadataBytes));
    } catch (fault) {
      this.#call.sendStatus(errorStatus(error ?? RpcError.from(fault), undefined, metadataBytes));
    }
  }

  /**
   * Ends the stream of a client that was told the end and still sends requests: it would stay open for as long as the
   * client likes. Only after the trailers, as grpc-js sends them from an event in which nothing may fail.
   */
  #endStream(): void {
    const stream = this.#stream;
    const told = stream.sentTrailers !== undefined || stream.sentHeaders?.["grpc-status"] !== undefined;
    if (told && !stream.readableEnded && !stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Nobody waits for the result any more, or is told the end now: fires the signal and makes reading fail. */
  #giveUp(reason: RpcError, tell: boolean): void {
    if (tell) this.#answer(reason);
    this.#over = true;
    this.#requests?.fail(reason);
    this.abort(reason);
    this.#release();
    // Now, as the next response, with which sending would notice, may never come.
    if (this.#responses !== undefined) leave(this.#responses);
  }

  #whyCanceled(): RpcError {
    if (this.#shared.stopped !== undefined) return this.#shared.stopped;
    // A client whose time is up cancels; whether that or our own timer comes first is chance.
    if (this.timeRemainingMs() <= deadlineSlackMs) return this.#error(Code.DeadlineExceeded, "the deadline passed");
    // grpc-js has answered by itself; it tells the client why, and nobody else.
    const refused = !this.#stream.closed && !this.#stream.destroyed;
    if (refused) return this.#error(Code.Internal, "a request could not be read; the client was told why");
    return this.#error(Code.Canceled, "the client canceled the call");
  }

  #error(code: Code, message: string): RpcError {
    return withoutStack(() => new RpcError(code, message, { peer: this.peer.address }));
  }
}

/** A point in time of the wall clock as one of the clock that only goes forward. */
function monotonic(deadline: number | Date): number {
  const at = Number(deadline);
  return at === Number.POSITIVE_INFINITY ? at : performance.now() + at - Date.now();
}

function checked(message: unknown): object {
  if (typeof message === "object" && message !== null) return message;
  throw new TypeError(`the handler returned ${message === null ? "null" : typeof message} where a message is due`);
}
