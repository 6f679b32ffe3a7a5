// A Connect interceptor on the side that makes the call: the response's metadata is caught on its way to the caller, who
// gets what the interceptor made of it.
import { type InterceptedCall, Metadata } from "@guestwire/rpc";
import { bindValues, connectValuesOf } from "./context-values.js";
import { metadataOf } from "./headers.js";
import { ResponseMetadata } from "./response-metadata.js";
import { passedCall, type Side } from "./side.js";
import { begun } from "./streams.js";

/** This side of one call. */
export function clientSide(call: InterceptedCall): Side {
  // Of the last time that the interceptor has passed the call on.
  let last = new ResponseMetadata();
  const tell = (name: "onHeader" | "onTrailer", received: Metadata | undefined, shown: Headers | undefined): void => {
    const metadata = shown === undefined ? received : metadataOf(shown);
    // On a wire that has none the caller hears of none, unless the interceptor has put something there.
    if (metadata === undefined || (received === undefined && metadata.size === 0)) return;
    call[name]?.(new Metadata(metadata));
  };
  return {
    async send(request, next) {
      const received = new ResponseMetadata();
      last = received;
      if (connectValuesOf(call.values) !== request.contextValues) bindValues(call.values, request.contextValues);
      const changes = {
        metadata: metadataOf(request.header),
        signal: request.signal,
        onHeader: received.onHeader,
        onTrailer: received.onTrailer,
      };
      const reply = await next(passedCall(call, request, changes));
      const { header, trailer } = received;
      if (!reply.stream) return { reply, header, trailer };
      return {
        reply: { stream: true, messages: await begun(reply.messages, received.headerArrived) },
        header,
        trailer,
      };
    },
    begins: ({ header }) => tell("onHeader", last.received.header, header),
    ends: (response) => tell("onTrailer", last.received.trailer, response?.trailer),
  };
}
