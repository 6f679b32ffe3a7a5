// Service implementations written for Connect as handlers of ours. What they throw reaches the client as through Connect.
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type HandlerContext, type Handlers, Code as OurCode, RpcError } from "@guestwire/rpc";
import { clientStreams, isStream } from "@guestwire/rpc/transport";
import { fromRpc, toRpcError } from "./errors.js";
import { connectContext } from "./handler-context.js";
import { metadataOf } from "./headers.js";
import { hooked } from "./streams.js";

type AnyImpl = (request: unknown, context: unknown) => unknown;
type AnyHandler = (request: unknown, context: HandlerContext) => unknown;

/**
 * Makes handlers of ours of a service implementation written for Connect, for `server.service()`.
 *
 * They get Connect's context: request headers, response headers and trailers (which ttrpc does not have), `signal`,
 * `timeoutMs()`, `values`. As in Connect, whatever they throw that is neither a `ConnectError` nor an `RpcError` reaches
 * the client as `Internal` with the text "internal error" and no more.
 *
 * @param implementation An object or an instance of a class. Methods that it lacks answer `Unimplemented`.
 * @throws {RpcError} Code.InvalidArgument when the service or the implementation is none.
 *
 * @example
 * serve().service(ElizaService, toHandlers(ElizaService, { say: ({ sentence }) => ({ sentence }) }));
 */
export function toHandlers<S extends DescService>(
  service: S,
  implementation: Partial<ServiceImpl<S>>,
): Partial<Handlers<S>> {
  if (!Array.isArray(service?.methods)) {
    throw new RpcError(OurCode.InvalidArgument, "toHandlers() needs a generated service, as MachineService");
  }
  if (typeof implementation !== "object" || implementation === null) {
    throw new RpcError(OurCode.InvalidArgument, `the implementation of ${service.typeName} is no object`);
  }
  const handlers: Record<string, AnyHandler> = {};
  for (const method of service.methods) {
    const impl = (implementation as Record<string, unknown>)[method.localName];
    if (typeof impl === "function") handlers[method.localName] = toHandler(method, impl.bind(implementation));
  }
  return handlers as Partial<Handlers<S>>;
}

/** One method of an implementation as a handler of ours. */
export function toHandler(method: DescMethod, impl: AnyImpl): AnyHandler {
  const { methodKind } = method;
  const given = (request: unknown): unknown =>
    clientStreams(method) ? hooked(request as AsyncIterable<unknown>, { failed: fromRpc }) : request;
  if (methodKind === "unary" || methodKind === "client_streaming") {
    return async (request, call) => {
      const { context, end } = connectContext(call);
      try {
        return await impl(given(request), context);
      } catch (error) {
        throw failure(error, call);
      } finally {
        end();
      }
    };
  }
  return (request, call) => {
    const { context, end } = connectContext(call);
    try {
      const responses = impl(given(request), context);
      if (isStream(responses)) return hooked(responses, { failed: (error) => failure(error, call), ended: end });
      end();
      return responses;
    } catch (error) {
      end();
      throw failure(error, call);
    }
  };
}

/** What the client gets of what a handler or a gate of Connect threw. */
export function failure(error: unknown, call: HandlerContext): RpcError {
  if (error instanceof RpcError) return error;
  if (!(error instanceof ConnectError)) {
    return toRpcError(new ConnectError("internal error", Code.Internal, undefined, undefined, error));
  }
  // Connect sends an error's metadata with the response, unless the error came from a server itself.
  if (!error.isWireError) {
    for (const [key, value] of metadataOf(error.metadata)) call.responseTrailer.append(key, value);
  }
  return toRpcError(error);
}
