// What the two sides of a call have in common for an interceptor of Connect. No behaviour but how a call is passed on.
import type { StreamRequest, StreamResponse, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import { type CallNext, Code, type InterceptedCall, type InterceptedReply, RpcError } from "@guestwire/rpc";
import { fromConnect } from "./errors.js";
import { hooked } from "./streams.js";

/** A call of either kind, as Connect's interceptors have it. */
export type ConnectRequest = UnaryRequest | StreamRequest;
/** A response of either kind, as Connect's interceptors have it. */
export type ConnectResponse = UnaryResponse | StreamResponse;

/** What differs between the side that makes a call and the one that serves it. */
export interface Side {
  /** Passes a call on as the interceptor has changed it. */
  readonly send: (
    request: ConnectRequest,
    next: CallNext,
  ) => Promise<{ reply: InterceptedReply; header: Headers; trailer: Headers }>;
  /** Puts the metadata of the interceptor's response where it belongs, before any message is read. */
  readonly begins: (response: ConnectResponse) => void;
  /** The same for what ends the response; `undefined` where the interceptor failed or the response did. */
  readonly ends: (response: ConnectResponse | undefined) => void;
}

/** The call as the interceptor passed it on; the call itself where it changed nothing. */
export function passedCall(
  call: InterceptedCall,
  request: ConnectRequest,
  changes: Partial<InterceptedCall>,
): InterceptedCall {
  if (call.stream !== request.stream) {
    throw new RpcError(Code.Internal, `an interceptor of Connect passed ${call.path} on as another kind of call`);
  }
  if (!request.stream) return { ...call, ...changes, message: request.message } as InterceptedCall;
  return { ...call, ...changes, messages: hooked(request.message, { failed: fromConnect }) } as InterceptedCall;
}
