// One call on the server: the context that its handler sees. Knows no connection.
import { Code, type Metadata, type Peer, RpcError } from "@guestwire/rpc";
import { type MethodRoute, ServerCall } from "@guestwire/rpc/transport";
import { protocol } from "./protocol.js";
import { traceMetadata } from "./trace.js";

/** A call that a handler serves. The wire carries no deadline, so it has none. */
export class FramesServerCall extends ServerCall {
  readonly #trace: Uint8Array;

  constructor(route: MethodRoute, peer: Peer, trace: Uint8Array) {
    super(route.method, route.path, peer, Number.POSITIVE_INFINITY);
    this.#trace = trace;
  }

  override get protocol(): string {
    return protocol;
  }

  /** Nobody waits for the result any more: fires the signal. */
  giveUp(reason: RpcError): void {
    this.abort(reason);
  }

  /** Why nobody waits any more; `undefined` while somebody does. */
  get givenUp(): RpcError | undefined {
    return this.abortReason;
  }

  protected now(): number {
    return performance.now();
  }

  protected readMetadata(): Metadata {
    return traceMetadata(this.#trace);
  }
}

/** Why a call is given up whose client closed the connection, which is the wire's only way to cancel. */
export function clientGone(peer: Peer): RpcError {
  return new RpcError(Code.Canceled, "the client closed the connection", { peer: peer.address });
}
