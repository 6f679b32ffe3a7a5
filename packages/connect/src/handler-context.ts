// Our context of a served call as Connect's. Headers are live views of our metadata; the signal fires as Connect's does.
import type { HandlerContext as ConnectContext } from "@connectrpc/connect";
import type { HandlerContext } from "@guestwire/rpc";
import { connectValuesOf, handlerContext } from "./context-values.js";
import { toConnectError } from "./errors.js";
import { headersOf } from "./headers.js";
import { baseUrlOf, methodUrl } from "./method-url.js";

/** A context of Connect, and the end of what it holds. */
export interface OpenContext {
  readonly context: ConnectContext;
  /** The handler is done: its signal fires, as in Connect, where handlers clean up by it. */
  readonly end: () => void;
}

/** Makes Connect's context of ours. An object with properties of its own, as Connect's code spreads it. */
export function connectContext(call: HandlerContext): OpenContext {
  let controller: AbortController | undefined;
  let over = false;
  const openSignal = (): AbortSignal => {
    if (controller !== undefined) return controller.signal;
    const made = new AbortController();
    const forward = (): void => made.abort(toConnectError(call.signal.reason));
    if (over) made.abort();
    else if (call.signal.aborted) forward();
    else call.signal.addEventListener("abort", forward, { once: true });
    controller = made;
    return made.signal;
  };
  const values = connectValuesOf(call.values).set(handlerContext, call);
  const requestHeader = headersOf(call.metadata);
  return {
    context: {
      method: call.method,
      service: call.method.parent,
      get signal() {
        return openSignal();
      },
      timeoutMs: () => (call.deadline === undefined ? undefined : call.timeRemainingMs()),
      requestMethod: "POST",
      requestHeader,
      get responseHeader() {
        return headersOf(call.responseHeader);
      },
      get responseTrailer() {
        return headersOf(call.responseTrailer);
      },
      protocolName: call.protocol ?? "guestwire",
      values,
      url: methodUrl(baseUrlOf(`${call.peer.kind}://server`), call.path),
    },
    end() {
      over = true;
      controller?.abort();
    },
  };
}
