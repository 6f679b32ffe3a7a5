// Interceptors: code around calls, the same on both sides and for unary calls and streams. Knows neither wire nor router.
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { completing } from "./call-view.js";
import type { CallOptions, ChannelInfo } from "./channel.js";
import { Code } from "./code.js";
import type { ContextValues } from "./context-values.js";
import type { HandlerContext } from "./handler-context.js";
import type { Metadata } from "./metadata.js";
import { RpcError } from "./rpc-error.js";
import { isStream } from "./streams.js";

/** What every call shows to an interceptor. */
export interface CallInfo {
  /** The method called. Access rules look at this, never at names that came from a peer. */
  readonly method: DescMethod;
  /** The method's path, as `/arcbox.v1.MachineService/Inspect`. */
  readonly path: string;
  /** Metadata of the request. On the client, what is changed here is sent. */
  readonly metadata: Metadata;
  /** Fires when the call ends before its time: canceled, deadline, connection lost. */
  readonly signal: AbortSignal;
  /** How long the call may still take in milliseconds; Infinity where it has no limit. */
  timeRemainingMs(): number;
  /** Values of this call inside this process. */
  readonly values: ContextValues;
  /** The server's view of the call; `undefined` on the client. */
  readonly context: HandlerContext | undefined;
  /** Where the client's call goes; `undefined` on the server. */
  readonly channel?: ChannelInfo | undefined;
  /**
   * Called with the response's metadata, as {@link CallOptions.onHeader} says; the caller's own where it gave one. An
   * interceptor on the client that wants to see it passes on a copy of the call with another function, which calls this
   * one. `undefined` on the server, where `context.responseHeader` holds it.
   */
  readonly onHeader?: ((header: Metadata) => void) | undefined;
  /** As `onHeader`, for {@link CallOptions.onTrailer} and the metadata that ends the response. */
  readonly onTrailer?: ((trailer: Metadata) => void) | undefined;
}

/** A call with one request and one response. */
export interface UnaryCall extends CallInfo {
  readonly stream: false;
  /**
   * The request. Replace it by passing a changed copy on: `next({ ...call, message })`. Inside of the copy itself the
   * parts that are made on demand (metadata, signal, values, the time left) are there again from `next` on.
   */
  readonly message: Message;
}

/** A call in which at least one side streams. */
export interface StreamCall extends CallInfo {
  readonly stream: true;
  /** The requests; where only the server streams, exactly one. */
  readonly messages: AsyncIterable<Message>;
}

/** A call on its way to the server (client side) or to the handler (server side). */
export type InterceptedCall = UnaryCall | StreamCall;

/** The response of a call with one response. */
export interface UnaryReply {
  readonly stream: false;
  readonly message: Message;
}

/** The response of a call in which at least one side streams; where only the client streams, it holds one message. */
export interface StreamReply {
  readonly stream: true;
  readonly messages: AsyncIterable<Message>;
}

/** What comes back from a call. Its `stream` is that of the call. */
export type InterceptedReply = UnaryReply | StreamReply;

/** Passes a call on and gives its response. */
export type CallNext = (call: InterceptedCall) => Promise<InterceptedReply>;

/**
 * Code around every call of a channel, a client, a router or a service. It may change the call, wait, refuse it by
 * throwing, answer it without calling `next`, call `next` again, and change the response. A call ends at its deadline
 * and when it is canceled also while an interceptor waits.
 *
 * The outer function runs once for a channel or client, and once for each served method: state belongs outside of it.
 *
 * @example
 * const log: Interceptor = (next) => async (call) => {
 *   console.log(call.path);
 *   return next(call);
 * };
 */
export type Interceptor = (next: CallNext) => CallNext;

/** @throws {RpcError} Code.InvalidArgument when it is no list, as where a single interceptor was given. */
export function checkInterceptors(interceptors: unknown): void {
  if (interceptors === undefined || Array.isArray(interceptors)) return;
  throw new RpcError(Code.InvalidArgument, `interceptors must be a list, not ${typeof interceptors}`);
}

/**
 * Composes interceptors around an innermost step: the first runs outermost. Done once, not per call.
 *
 * @throws {RpcError} Code.InvalidArgument when one is no function, or makes none.
 */
export function composeInterceptors(interceptors: readonly Interceptor[], innermost: CallNext): CallNext {
  checkInterceptors(interceptors);
  return interceptors.reduceRight((next, interceptor, index) => {
    const composed = typeof interceptor === "function" ? interceptor(completing(next)) : undefined;
    if (typeof composed === "function") return composed;
    const fault = typeof interceptor === "function" ? "does not return a function" : "is not a function";
    throw new RpcError(
      Code.InvalidArgument,
      `interceptor ${index} ${fault}; write (next) => async (call) => next(call)`,
    );
  }, innermost);
}

/**
 * The reply of a chain of interceptors, any of which may have forgotten to return it.
 *
 * @throws {RpcError} Code.Internal when there is none.
 */
export function checkedReply(reply: InterceptedReply, path: string): InterceptedReply {
  if (typeof reply === "object" && reply !== null && (reply.stream ? isStream(reply.messages) : reply.message)) {
    return reply;
  }
  throw new RpcError(Code.Internal, `an interceptor answered ${path} with nothing`);
}
