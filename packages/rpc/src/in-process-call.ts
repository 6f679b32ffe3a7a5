// One call of the in-process channel: the handler's context on one side, the caller's end of it on the other, and copies
// of the messages between. Knows neither the router nor the channel.
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { CallEnd } from "./call-end.js";
import type { CallOptions } from "./channel.js";
import { Code } from "./code.js";
import { codecFor } from "./codec/codec.js";
import type { Peer } from "./handler-context.js";
import { Metadata } from "./metadata.js";
import type { MessageStream, ResponseStream } from "./method.js";
import { Pipe } from "./pipe.js";
import type { MethodRoute, Request, Response } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { ServerCall } from "./server-call.js";
import { abandon, isStream, iterate, leave } from "./streams.js";

/** How both ends of such a call name the other. */
export const inProcessPeer: Peer = { kind: "in-process", address: "in-process:" };

// How many messages of a stream may wait: as createPushStream, so that stacking both does not surprise.
const waitingMessages = 16;

/** A call from its beginning to its end. */
export class InProcessCall extends ServerCall {
  /** The caller's side. */
  readonly end: CallEnd;
  readonly #route: MethodRoute;
  readonly #options: CallOptions;
  readonly #metadata: Metadata;
  #headerGiven = false;

  constructor(route: MethodRoute, options: CallOptions) {
    const metadata = new Metadata(options.metadata);
    const { timeoutMs, signal } = options;
    const end = new CallEnd(route.path, inProcessPeer.address, timeoutMs, signal === undefined ? [] : [signal]);
    super(route.method, route.path, inProcessPeer, end.deadlineAt);
    this.end = end;
    this.#route = route;
    this.#options = options;
    this.#metadata = metadata;
    end.whenOver((error) => {
      if (error !== undefined) this.abort(callerError(error));
    });
  }

  /** The one response to the one request. */
  async one(request: object): Promise<Message> {
    try {
      return await this.end.race(async () => {
        const sent = this.#copyRequest(request);
        // As on a wire, the handler does not run inside of the caller's own turn.
        await null;
        return this.#single(sent);
      });
    } finally {
      this.end.settle();
    }
  }

  /** The responses to a request or to a stream of requests. The handler begins at once, read or not. */
  many(request: object | MessageStream<object>): ResponseStream<Message> {
    const responses = new Pipe<Message>(waitingMessages, () => this.end.leave());
    this.end.whenOver((error) => {
      if (error !== undefined) responses.abort(error);
    });
    void this.#serve(request, responses);
    return responses;
  }

  override get protocol(): string {
    return inProcessPeer.kind;
  }

  protected now(): number {
    return performance.now();
  }

  protected readMetadata(): Metadata {
    return this.#metadata;
  }

  async #serve(request: object | MessageStream<object>, responses: Pipe<Message>): Promise<void> {
    try {
      if (this.end.settled) return this.#route.clientStreams ? abandon(request) : undefined;
      const requests = this.#route.clientStreams ? this.#openRequests(request) : this.#copyRequest(request);
      await null;
      if (this.end.settled) return;
      if (this.#route.serverStreams) await this.#pumpResponses(requests, responses);
      else void responses.push(await this.#single(requests));
      responses.end();
    } catch (error) {
      responses.fail(error);
    }
    this.end.settle();
  }

  async #single(request: Request): Promise<Message> {
    const response = this.#copyResponse(await this.#handled(() => this.#route.single(request, this)));
    this.#tell("onTrailer", this.trailer);
    return response;
  }

  async #pumpResponses(requests: Request, responses: Pipe<Message>): Promise<void> {
    const source = await this.#handled(() => iterate(this.#route.many(requests, this)));
    let finished = false;
    this.end.whenOver(() => {
      if (!finished) leave(source);
    });
    while (!this.end.settled) {
      const result = await this.#handled(() => source.next());
      if (this.end.settled) return;
      if (result.done) {
        finished = true;
        return this.#tell("onTrailer", this.trailer);
      }
      await responses.push(this.#copyResponse(result.value));
    }
  }

  /** Begins to send the requests; the handler reads them on the other end. */
  #openRequests(stream: unknown): AsyncIterable<Message> {
    if (!isStream(stream)) throw this.#error(Code.InvalidArgument, "the requests are no iterable");
    const requests = new Pipe<Message>(waitingMessages);
    this.end.whenOver((error) => {
      if (error === undefined) requests.end();
      else requests.abort(callerError(error));
    });
    void this.#pumpRequests(stream as MessageStream<object>, requests);
    return requests;
  }

  async #pumpRequests(stream: MessageStream<object>, requests: Pipe<Message>): Promise<void> {
    try {
      const source = iterate(stream);
      let finished = false;
      this.end.whenOver(() => {
        if (!finished) leave(source);
      });
      while (!this.end.settled) {
        const result = await source.next();
        finished = result.done === true;
        if (finished || this.end.settled) return requests.end();
        const message = this.#copyNext(result.value);
        // A handler that reads no more ends its stream, not the call: what still comes is dropped.
        if (message !== undefined) await requests.push(message).catch(() => {});
      }
    } catch (error) {
      const { code, rawMessage } = RpcError.from(error);
      this.end.fail(code, `the stream of requests failed: ${rawMessage}`, undefined, error);
    }
  }

  /** A copy of one of several requests; ends the call where there is none to be had. */
  #copyNext(message: object): Message | undefined {
    try {
      return copy(this.#route.method.input, message);
    } catch (error) {
      this.end.fail(Code.InvalidArgument, (error as Error).message, undefined, error);
      return undefined;
    }
  }

  #copyRequest(message: object): Message {
    try {
      return copy(this.#route.method.input, message);
    } catch (error) {
      throw this.#error(Code.InvalidArgument, (error as Error).message, error);
    }
  }

  #copyResponse(response: Response): Message {
    let message: Message;
    try {
      message = copy(this.#route.method.output, response);
    } catch (error) {
      throw this.#error(Code.Internal, `the response of ${this.path} cannot be sent: ${(error as Error).message}`);
    }
    if (!this.#headerGiven) {
      this.#headerGiven = true;
      this.#tell("onHeader", this.header);
    }
    return message;
  }

  /** Runs a step of the handler; what it throws reaches the caller as it would through a wire. */
  async #handled<T>(step: () => T | PromiseLike<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (!this.end.settled) this.#tell("onTrailer", this.trailer);
      throw handlerError(RpcError.from(error), this.path, this.trailer);
    }
  }

  #tell(callback: "onHeader" | "onTrailer", metadata: Metadata | undefined): void {
    const listener = this.#options[callback];
    if (listener === undefined) return;
    try {
      listener(new Metadata(metadata));
    } catch (error) {
      const { code, rawMessage } = RpcError.from(error);
      throw this.#error(code, `${callback} failed: ${rawMessage}`, error);
    }
  }

  #error(code: Code, message: string, cause?: unknown): RpcError {
    const parts = { method: this.path, peer: inProcessPeer.address };
    return new RpcError(code, message, cause === undefined ? parts : { ...parts, cause });
  }
}

/** An error of the server as the client of a real wire would get it: nothing else of the handler's object. */
export function handlerError({ code, rawMessage, details }: RpcError, method: string, trailer?: Metadata): RpcError {
  const parts = { details, method, peer: inProcessPeer.address };
  return new RpcError(code, rawMessage, trailer === undefined ? parts : { ...parts, metadata: new Metadata(trailer) });
}

/** Why the caller ended the call, as the handler of a real wire would get it. */
function callerError({ code }: RpcError): RpcError {
  const parts = { peer: inProcessPeer.address };
  if (code === Code.DeadlineExceeded) return new RpcError(code, "the deadline passed", parts);
  return new RpcError(Code.Canceled, "the client canceled the call", parts);
}

function copy(schema: DescMessage, message: object): Message {
  if (typeof message !== "object" || message === null) {
    throw new TypeError(`${message === null ? "null" : typeof message} was given where a ${schema.typeName} is due`);
  }
  const codec = codecFor(schema);
  const bytes = codec.toBytes(message as never);
  return codec.decode(bytes, 0, bytes.length);
}
