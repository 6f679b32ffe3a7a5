// Reads the envelope of a request and finds its method. Knows no frames, no calls and no answers.
import { Code, type Router, RpcError } from "@guestwire/rpc";
import { type MethodRoute, withoutStack } from "@guestwire/rpc/transport";
import { controlService } from "./control-protocol.js";
import { EnvelopeLimitError, RequestEnvelope } from "./envelope.js";
import type { Limits } from "./limits.js";
import { type ServerMethod, ServerMethods } from "./server-methods.js";

/** Reads the requests of one connection. */
export class RequestReader {
  /** Where the parts of the request lie that was read last. */
  readonly envelope: RequestEnvelope = new RequestEnvelope();
  /** Why the request that was read last cannot be served. */
  fault: RpcError | undefined = undefined;
  /** The method of the connection's own service that the request asks for; `undefined` for all others. */
  control: string | undefined = undefined;
  readonly #methods: ServerMethods;
  readonly #limits: Limits;

  constructor(router: Router, known: WeakMap<MethodRoute, ServerMethod>, limits: Limits) {
    this.#methods = new ServerMethods(router, known);
    this.#limits = limits;
  }

  /** The method of the request in `bytes[start..end)`; `undefined` where it cannot be served, for which see `fault`. */
  read(bytes: Buffer, start: number, end: number): ServerMethod | undefined {
    const { envelope } = this;
    this.control = undefined;
    try {
      const recent = this.#methods.recent(bytes, start, end);
      envelope.read(bytes, start, end, this.#limits, recent?.prefix.length);
      // The names may stand a second time, and then the last ones count.
      if (recent !== undefined && envelope.namesRead === 0) return recent;
      if (recent !== undefined) envelope.read(bytes, start, end, this.#limits);
      return this.#methods.find(envelope.service, envelope.method);
    } catch (error) {
      this.fault = faultOf(error);
      if (this.fault.code === Code.Unimplemented && envelope.service === controlService) this.control = envelope.method;
      return undefined;
    }
  }
}

function faultOf(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const { message } = error as Error;
  const limited = error instanceof EnvelopeLimitError;
  const code = limited ? Code.ResourceExhausted : Code.InvalidArgument;
  return withoutStack(() => new RpcError(code, limited ? message : `unmarshal request error: ${message}`));
}
