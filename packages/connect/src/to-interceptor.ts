// Interceptors of ours on clients of Connect, whatever their transport. Knows no channel.
import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor as ConnectInterceptor, StreamResponse } from "@connectrpc/connect";
import {
  Code,
  type InterceptedCall,
  type InterceptedReply,
  type Interceptor,
  Metadata,
  RpcError,
} from "@guestwire/rpc";
import { isStream, methodPath } from "@guestwire/rpc/transport";
import { valuesOf } from "./context-values.js";
import { fromConnect, fromRpc, toConnectError, toRpcError } from "./errors.js";
import { likeHeaders, metadataOf } from "./headers.js";
import type { ConnectRequest, ConnectResponse } from "./side.js";
import { hooked } from "./streams.js";

type Forward = (call: InterceptedCall) => Promise<InterceptedReply>;

// Under this key a call carries the rest of its own way; a spread takes it along.
const forwardKey: unique symbol = Symbol("guestwire.forward");

/**
 * Makes a Connect interceptor of one of ours, for the client's side of any transport of Connect.
 *
 * As on our channels its outer function runs once. It is not for servers of Connect: there is no handler context, so an
 * interceptor would take the call for one of a client. `timeRemainingMs()` is Infinity, as Connect does not tell.
 *
 * @throws {RpcError} Code.InvalidArgument when it is no function.
 *
 * @example
 * const transport = createGrpcTransport({ baseUrl, interceptors: [toInterceptor(bearerToken(token))] });
 */
export function toInterceptor(interceptor: Interceptor): ConnectInterceptor {
  const fault = "toInterceptor() needs an interceptor of ours: (next) => async (call) => next(call)";
  if (typeof interceptor !== "function") throw new RpcError(Code.InvalidArgument, fault);
  const run = interceptor((call) => {
    const forward = (call as { [forwardKey]?: Forward })[forwardKey];
    if (forward !== undefined) return forward(call);
    throw new RpcError(Code.Internal, `an interceptor passed ${call.path} on as a call of its own`);
  });
  if (typeof run !== "function") throw new RpcError(Code.InvalidArgument, fault);
  return (next) => async (request) => {
    let last: ConnectResponse | undefined;
    const forward: Forward = async (call) => {
      try {
        last = await next(passedRequest(request, call));
      } catch (error) {
        throw toRpcError(error, { method: call.path });
      }
      return toReply(last, call);
    };
    try {
      return toResponse(await run(toCall(request, forward)), request, last);
    } catch (error) {
      throw toConnectError(error);
    }
  };
}

function toCall(request: ConnectRequest, forward: Forward): InterceptedCall {
  const method: DescMethod = request.method;
  const common = {
    method,
    path: methodPath(method),
    metadata: new Metadata(metadataOf(request.header)),
    signal: request.signal,
    timeRemainingMs: () => Number.POSITIVE_INFINITY,
    values: valuesOf(request.contextValues),
    context: undefined,
    channel: { target: request.url.replace(methodPath(method), "") },
    onHeader: undefined,
    onTrailer: undefined,
    [forwardKey]: forward,
  };
  if (!request.stream) return { ...common, stream: false, message: request.message };
  return { ...common, stream: true, messages: hooked(request.message, { failed: fromConnect }) };
}

function passedRequest(request: ConnectRequest, call: InterceptedCall): ConnectRequest {
  const common = { header: likeHeaders(request.header, call.metadata), signal: call.signal };
  if (!request.stream && !call.stream) return { ...request, ...common, message: call.message };
  if (request.stream && call.stream)
    return { ...request, ...common, message: hooked(call.messages, { failed: fromRpc }) };
  throw new RpcError(Code.Internal, `an interceptor passed ${call.path} on as another kind of call`);
}

function toReply(response: ConnectResponse, call: InterceptedCall): InterceptedReply {
  call.onHeader?.(new Metadata(metadataOf(response.header)));
  const ended = (): void => call.onTrailer?.(new Metadata(metadataOf(response.trailer)));
  if (response.stream) {
    const failed = (error: unknown): RpcError => toRpcError(error, { method: call.path });
    return { stream: true, messages: hooked(response.message, { failed, ended }) };
  }
  ended();
  return { stream: false, message: response.message };
}

/** The response of the transport with the interceptor's messages; where it answered by itself, one of its own. */
function toResponse(
  reply: InterceptedReply,
  request: ConnectRequest,
  last: ConnectResponse | undefined,
): ConnectResponse {
  const { service, method } = request;
  const common = last ?? { service, method, header: new Headers(), trailer: new Headers() };
  if (reply?.stream === false && !request.stream && reply.message) {
    return { ...common, stream: false, message: reply.message } as ConnectResponse;
  }
  if (reply?.stream === true && request.stream && isStream(reply.messages)) {
    return { ...common, stream: true, message: hooked(reply.messages, { failed: toConnectError }) } as StreamResponse;
  }
  throw new RpcError(Code.Internal, `an interceptor answered ${methodPath(method)} with nothing that fits the call`);
}
