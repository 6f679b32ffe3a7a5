// What a transport offers to clients: a way to make calls, and its end. No behaviour here.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { ContextValues } from "./context-values.js";
import type { Interceptor } from "./interceptor.js";
import type { Metadata, MetadataInit } from "./metadata.js";
import type { MessageStream, ResponseStream, StreamingMethod, UnaryMethod } from "./method.js";

/** What a single call may be given. */
export interface CallOptions {
  /**
   * How long the call may take, in milliseconds, from now until its end: dialing, waiting in queues and the handler all
   * count. 0 and Infinity mean no limit. Default: the channel's, which is no limit.
   */
  readonly timeoutMs?: number;
  /** Ends the call when it fires; the error's `cause` is the signal's reason. Default none. */
  readonly signal?: AbortSignal;
  /** Metadata to send; added behind the channel's own. Default none. */
  readonly metadata?: MetadataInit;
  /** Values for interceptors of this process. Default empty. */
  readonly values?: ContextValues;
  /**
   * Called once with the response's metadata before its first message. On ttrpc only where the server is one of ours, and
   * of a stream then at its end; other servers have none to send.
   */
  readonly onHeader?: (header: Metadata) => void;
  /** Called once with the metadata that ends the response. On ttrpc only where the server is one of ours. */
  readonly onTrailer?: (trailer: Metadata) => void;
}

/** What all calls of a channel or of a client share. A call's own option comes before these. */
export interface CallDefaults {
  /** Default for {@link CallOptions.timeoutMs}, in milliseconds. Default no limit, as calls may rightly last for days. */
  readonly timeoutMs?: number;
  /** A signal that ends every call; a call's own signal works beside it. Default none. */
  readonly signal?: AbortSignal;
  /** Metadata that goes in front of every call's own. Default none. */
  readonly metadata?: MetadataInit;
  /** Run around every call, the first outermost. Default none. */
  readonly interceptors?: readonly Interceptor[];
}

/** How to close a channel or a server. */
export interface CloseOptions {
  /** How long running calls may go on, in milliseconds. Each default is named where this is used. */
  readonly graceMs?: number;
}

/** What is known of where a channel leads. */
export interface ChannelInfo {
  /** The address that this channel leads to, for logs and errors. */
  readonly target: string;
  /** The wire, as `ttrpc`, `grpc`, `in-process`; `undefined` where the channel does not say. */
  readonly protocol?: string | undefined;
  /** Whether what is sent is encrypted and the server proven (TLS); `undefined` where the channel does not say. */
  readonly secure?: boolean | undefined;
}

/**
 * A way to a server that has the methods of some services. Shared by any number of clients and calls.
 *
 * Made by `connect()` of a transport or by `createInProcessChannel()`.
 */
export interface Channel extends ChannelInfo, AsyncDisposable {
  /**
   * Makes a call with one request and one response. The request may be encoded later and its bytes sent without a copy:
   * it must not be changed until the call has ended.
   *
   * @throws {RpcError} (as a rejection) whatever goes wrong.
   */
  unary<I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>;

  /**
   * Makes a call in which at least one side streams.
   *
   * @param request The one request where only the server streams, otherwise the stream of requests. As for `unary`, no
   * message may be changed once it was given.
   * @throws {RpcError} (from reading the response) whatever goes wrong.
   */
  stream<I extends DescMessage, O extends DescMessage>(
    method: StreamingMethod<I, O>,
    request: MessageInitShape<I> | MessageStream<MessageInitShape<I>>,
    options?: CallOptions,
  ): ResponseStream<MessageShape<O>>;

  /**
   * Ends the channel: new calls fail with `Unavailable`, running ones get `graceMs` (default 0) to finish and then fail
   * with `Canceled`. Resolves when nothing is left. Calling it again waits for the same end.
   */
  close(options?: CloseOptions): Promise<void>;
}
