// A Connect interceptor on the side that serves the call: the response's metadata is that of our context, seen as Headers.
import type { HandlerContext, InterceptedCall, Metadata } from "@guestwire/rpc";
import { bindValues } from "./context-values.js";
import { headersOf, metadataOf } from "./headers.js";
import { type ConnectRequest, passedCall, type Side } from "./side.js";

/** This side of one call. */
export function serverSide(call: InterceptedCall, context: HandlerContext, shown: ConnectRequest): Side {
  return {
    async send(request, next) {
      const { header, signal, contextValues } = request;
      if (contextValues !== shown.contextValues) bindValues(call.values, contextValues);
      const own = header === shown.header && signal === shown.signal;
      const given = own ? context : changedContext(context, metadataOf(header), signal);
      const { metadata } = given;
      const reply = await next(passedCall(call, request, own ? {} : { context: given, metadata, signal }));
      return { reply, header: headersOf(context.responseHeader), trailer: headersOf(context.responseTrailer) };
    },
    begins: (response) => replace(context.responseHeader, response.header),
    ends: (response) => {
      if (response !== undefined) replace(context.responseTrailer, response.trailer);
    },
  };
}

/** Where the interceptor answers with Headers of its own, they are what is sent. */
function replace(metadata: Metadata, headers: Headers): void {
  const wanted = metadataOf(headers);
  if (wanted === metadata) return;
  for (const key of new Set([...metadata].map(([name]) => name))) metadata.delete(key);
  for (const [key, value] of wanted) metadata.append(key, value);
}

/** The handler's context with what the interceptor has put in place of it; asks the real one for all the rest. */
function changedContext(context: HandlerContext, metadata: Metadata, signal: AbortSignal): HandlerContext {
  return {
    method: context.method,
    path: context.path,
    protocol: context.protocol,
    peer: context.peer,
    metadata,
    signal,
    timeRemainingMs: () => context.timeRemainingMs(),
    get deadline() {
      return context.deadline;
    },
    get values() {
      return context.values;
    },
    get responseHeader() {
      return context.responseHeader;
    },
    get responseTrailer() {
      return context.responseTrailer;
    },
  };
}
