// Reads what a server sends for a call, and ends the call with it. Knows no frames but their fields, and no connection.
import { Code, RpcError } from "@guestwire/rpc";
import { withoutStack } from "@guestwire/rpc/transport";
import { type ClientCall, UnaryClientCall } from "./client-call.js";
import { type ClientControl, isMetadata } from "./client-control.js";
import { StreamClientCall } from "./client-stream-call.js";
import { ResponseEnvelope } from "./envelope.js";
import { Flag, type FrameDecoder } from "./frame.js";
import type { Limits } from "./limits.js";

/** Reads the responses of one connection. */
export class ResponseReader {
  readonly #envelope = new ResponseEnvelope();
  readonly #control: ClientControl;
  readonly #limits: Limits;

  constructor(control: ClientControl, limits: Limits) {
    this.#control = control;
    this.#limits = limits;
  }

  /** Takes a Response frame: the answer, the end of a stream, or an error. */
  response(call: ClientCall, { buffer, start, end }: FrameDecoder): void {
    const response = this.#envelope;
    try {
      response.read(buffer, start, end);
    } catch (error) {
      return call.fail(Code.Internal, `the response cannot be read: ${(error as Error).message}`, "protocol", error);
    }
    // All of it before user code is told anything: a call made there may be answered at once, and is read into the same object.
    const { status, payloadStart, payloadEnd } = response;
    const metadata = this.#control.metadata(call, response.details, this.#limits, status === undefined || call.begun);
    // What it tells may end the call.
    if (call.settled) return;
    if (status !== undefined) {
      const { path: method } = call.method;
      const details = metadata === undefined ? status.details : status.details.filter((one) => !isMetadata(one));
      // Both ends keep the deadline; whichever notices first, the caller sees the same.
      const late = status.code === Code.DeadlineExceeded && call.deadlineAt !== Number.POSITIVE_INFINITY;
      const parts = {
        details,
        method,
        peer: call.target,
        ...(metadata !== undefined && { metadata }),
        ...(late && { reason: "deadline" as const }),
      };
      const error = withoutStack(() => new RpcError(status.code as Code, status.message, parts));
      return call.failWith(error, false);
    }
    const size = payloadEnd - payloadStart;
    // A stream of responses that ends with an OK response, as other implementations do, has no message in it.
    if (call instanceof StreamClientCall && call.method.serverStreams && size === 0) return call.complete();
    const message = this.#decode(call, buffer, payloadStart, payloadEnd);
    if (message === undefined) return;
    if (call instanceof UnaryClientCall) return call.succeed(message);
    (call as StreamClientCall).deliver(message, size);
    (call as StreamClientCall).complete();
  }

  /** Takes a Data frame: a message of a stream, its end, or both. */
  data(call: ClientCall, { buffer, start, end, flags }: FrameDecoder): void {
    if (!(call instanceof StreamClientCall) || !call.method.serverStreams) {
      return call.fail(Code.Internal, "the server sent data on a call with one response", "protocol");
    }
    const closes = (flags & Flag.RemoteClosed) !== 0;
    if (end > start || !closes || (flags & Flag.NoData) === 0) {
      const message = this.#decode(call, buffer, start, end);
      if (message === undefined) return;
      call.deliver(message, end - start);
    }
    if (!closes) return;
    // A stream that ends without them had none.
    this.#control.metadata(call, [], this.#limits, true);
    call.complete();
  }

  #decode(call: ClientCall, buffer: Buffer, start: number, end: number): object | undefined {
    try {
      return call.method.output.decode(buffer, start, end);
    } catch (error) {
      call.fail(Code.Internal, `the response cannot be decoded: ${(error as Error).message}`, "protocol", error);
      return undefined;
    }
  }
}
