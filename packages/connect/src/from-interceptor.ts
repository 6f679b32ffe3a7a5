// Interceptors of Connect on channels and servers of ours: a call of ours as Connect's request, its reply as Connect's
// response, and what the interceptor made of either back to where it came from.
import type { DescMethodStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import {
  ConnectError,
  type Interceptor as ConnectInterceptor,
  type StreamResponse,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  type CallNext,
  Code,
  type InterceptedCall,
  type InterceptedReply,
  type Interceptor,
  RpcError,
} from "@guestwire/rpc";
import { leave } from "@guestwire/rpc/transport";
import { clientSide } from "./client-side.js";
import { connectValuesOf, handlerContext } from "./context-values.js";
import { fromRpc, toRpcError } from "./errors.js";
import { headersOf } from "./headers.js";
import { baseUrlOf, methodUrl } from "./method-url.js";
import { serverSide } from "./server-side.js";
import type { ConnectRequest, ConnectResponse } from "./side.js";
import { hooked } from "./streams.js";

/**
 * Makes an interceptor of ours of one of Connect's: for channels and clients, and for servers, routers and services.
 *
 * It sees `service`, `method`, `url`, `signal`, `contextValues`, the headers of the request, and those of the response
 * and its trailer where the wire has them. What it changes of them takes effect; so do the messages it passes on and
 * answers with. Errors that it sees are `ConnectError`s; those that it throws reach the caller as `RpcError`s. As in
 * Connect, its outer function runs once for each call.
 *
 * @throws {RpcError} Code.InvalidArgument when it is no function.
 *
 * @example
 * const channel = connect("unix:///run/agent.sock", { interceptors: [fromInterceptor(logger)] });
 */
export function fromInterceptor(interceptor: ConnectInterceptor): Interceptor {
  if (typeof interceptor !== "function") {
    throw new RpcError(Code.InvalidArgument, "fromInterceptor() needs an interceptor of Connect, which is a function");
  }
  return (next) => (call) => run(interceptor, call, next);
}

async function run(interceptor: ConnectInterceptor, call: InterceptedCall, next: CallNext): Promise<InterceptedReply> {
  const request = toRequest(call);
  const side = call.context === undefined ? clientSide(call) : serverSide(call, call.context, request);
  // What was opened must be left where the interceptor does not hand it on.
  const opened: AsyncIterableIterator<unknown>[] = [];
  const forward = async (passed: ConnectRequest): Promise<ConnectResponse> => {
    try {
      const { reply, ...metadata } = await side.send(passed, next);
      const common = { service: request.service, method: request.method, ...metadata };
      if (!reply.stream) return { ...common, stream: false, message: reply.message } as UnaryResponse;
      const messages = hooked(reply.messages, { failed: fromRpc });
      opened.push(messages);
      return { ...common, stream: true, message: messages } as StreamResponse;
    } catch (error) {
      throw fromRpc(error);
    }
  };
  try {
    const response = await interceptor(forward)(request);
    checkResponse(response, call);
    side.begins(response);
    if (!response.stream) {
      side.ends(response);
      return { stream: false, message: response.message };
    }
    const messages = hooked(response.message, {
      failed: (error) => toRpcError(error, { method: call.path, ...peerOf(call) }),
      ended: () => side.ends(response),
    });
    return { stream: true, messages: messages as AsyncIterable<never> };
  } catch (error) {
    for (const messages of opened) leave(messages);
    side.ends(undefined);
    throw error instanceof ConnectError ? toRpcError(error, { method: call.path, ...peerOf(call) }) : error;
  }
}

function toRequest(call: InterceptedCall): ConnectRequest {
  const { method, context } = call;
  const contextValues = connectValuesOf(call.values);
  if (context !== undefined) contextValues.set(handlerContext, context);
  const baseUrl = baseUrlOf(context === undefined ? (call.channel?.target ?? "") : `${context.peer.kind}://server`);
  const common = {
    service: method.parent,
    requestMethod: "POST",
    url: methodUrl(baseUrl, call.path),
    signal: call.signal,
    header: headersOf(call.metadata),
    contextValues,
  };
  if (!call.stream) return { ...common, stream: false, method: method as DescMethodUnary, message: call.message };
  // Read anew each time, as by an interceptor that repeats a call.
  const message = { [Symbol.asyncIterator]: () => hooked(call.messages, { failed: fromRpc }) };
  return { ...common, stream: true, method: method as DescMethodStreaming, message };
}

/** An interceptor may have forgotten to return what `next` gave. */
function checkResponse(response: ConnectResponse, call: InterceptedCall): void {
  const isResponse = typeof response === "object" && response !== null && response.message !== undefined;
  if (isResponse && response.stream === call.stream) return;
  const what = isResponse ? `with${response.stream ? "" : "out"} a stream` : "with nothing";
  throw new RpcError(Code.Internal, `an interceptor of Connect answered ${call.path} ${what}`);
}

function peerOf({ channel }: InterceptedCall): { readonly peer?: string } {
  return channel === undefined ? {} : { peer: channel.target };
}
