// A server's side of one connection: one request after the other, each answered before the next is looked at.
import type { Message } from "@bufbuild/protobuf";
import { Code, type Peer, type Router, RpcError } from "@guestwire/rpc";
import { codecFor } from "@guestwire/rpc/codec";
import { isPromise, type MethodRoute, serverStreams } from "@guestwire/rpc/transport";
import { ExecRequestSchema } from "@guestwire/sandbox";
import { encodePayload } from "./answer.js";
import type { FrameConnection } from "./connection.js";
import { encodeErrorPayload } from "./error-frame.js";
import { ExecInputStream } from "./exec-input.js";
import type { Frame } from "./frame.js";
import type { Limits } from "./limits.js";
import { type FrameMethod, FrameNumber, frameMethodByNumber, isKnownNumber, numberText } from "./numbers.js";
import { clientGone, FramesServerCall } from "./server-call.js";
import { type AnswerSink, sendAnswers } from "./server-stream.js";

/** What all connections of a server have in common. */
export interface ServerShared {
  readonly router: Router;
  readonly limits: Limits;
  /** How many handlers run. */
  running: number;
}

/** One connection of a server. */
export class ServerSession {
  readonly peer: Peer;
  readonly #connection: FrameConnection;
  readonly #shared: ServerShared;
  #call: FramesServerCall | undefined;
  #draining = false;

  constructor(connection: FrameConnection, shared: ServerShared) {
    this.peer = connection.peer;
    this.#connection = connection;
    this.#shared = shared;
    connection.onClosed = () => {
      this.#call?.giveUp(clientGone(this.peer));
      connection.destroy();
    };
  }

  /** Serves until the connection is gone; a handler that goes on then is not waited for. Never fails. */
  run(): Promise<void> {
    void this.#loop();
    return this.#connection.gone;
  }

  /** Takes no further request: closes now, or after the call that runs. */
  drain(): void {
    this.#draining = true;
    if (this.#call === undefined) this.#connection.end();
  }

  /** Ends the running call for its handler, and the connection. */
  cut(reason: RpcError): void {
    this.#draining = true;
    this.#call?.giveUp(reason);
    this.#connection.destroy();
  }

  async #loop(): Promise<void> {
    try {
      let again = true;
      while (again && !this.#draining) {
        const frame = await this.#connection.read();
        again = frame !== undefined && (await this.#serve(frame));
        // Who only sends requests and reads no answers waits here, and fills no memory.
        await this.#connection.flushed();
      }
    } catch {
      // A client that breaks the wire's rules, or its connection: there is nobody to tell.
    }
    this.#connection.end();
  }

  /** @returns Whether the connection can take another request. */
  async #serve(frame: Frame): Promise<boolean> {
    const { type } = frame;
    // A copy: the frame's memory is the connection's, and a call may last.
    const trace = new Uint8Array(frame.trace);
    const wire = frameMethodByNumber(type);
    if (wire === undefined) {
      // As real agents do: a newer client learns by this that it asked for too much.
      if (!isKnownNumber(type)) return false;
      this.#refuse(trace, this.#misplaced(type));
      return true;
    }
    const route = this.#routeOf(wire);
    if (route instanceof RpcError) {
      this.#refuse(trace, route);
      return true;
    }
    let request: Message;
    try {
      request = decodeRequest(route, wire, frame.payload);
    } catch (error) {
      this.#refuse(trace, new RpcError(Code.InvalidArgument, (error as Error).message));
      return true;
    }
    await this.#run(route, wire, request, trace);
    return wire.shape === "one" || wire.shape === "run";
  }

  async #run(route: MethodRoute, wire: FrameMethod, request: Message, trace: Uint8Array): Promise<void> {
    const call = new FramesServerCall(route, this.peer, trace);
    const sink = this.#sink(route, wire, trace);
    this.#call = call;
    this.#shared.running++;
    if (!this.#connection.open) call.giveUp(clientGone(this.peer));
    try {
      if (wire.shape === "one") {
        const response = route.single(request, call);
        sink.answer(isPromise(response) ? await response : response);
        await sink.flushed();
      } else {
        const exec = wire.shape === "exec";
        const requests = exec ? new ExecInputStream(this.#connection, this.peer, route.method, request) : request;
        await sendAnswers(route, wire, requests, call, sink);
      }
    } catch (error) {
      if (call.givenUp === undefined) sink.error(RpcError.from(error));
    } finally {
      this.#call = undefined;
      this.#shared.running--;
    }
  }

  #sink(route: MethodRoute, wire: FrameMethod, trace: Uint8Array): AnswerSink {
    const connection = this.#connection;
    const { frameBytes } = this.#shared.limits;
    const parts = { method: wire.path, peer: this.peer.address };
    return {
      answer: (message) => {
        connection.write(wire.reply, trace, encodeResponse(route, message, frameBytes, trace, parts));
      },
      error: (error) => this.#refuse(trace, error),
      flushed: () => connection.flushed(),
    };
  }

  #routeOf(wire: FrameMethod): MethodRoute | RpcError {
    const [, service = "", name = ""] = wire.path.split("/");
    const { router } = this.#shared;
    const route = router.find(service, name);
    if (route === undefined) return router.missing(service, name);
    // A schema of the user's own may have the name and another shape, which these numbers cannot carry.
    if (serverStreams(route.method) === (wire.shape === "one")) {
      return new RpcError(Code.Unimplemented, `method ${name} is served in another shape than the wire's`);
    }
    return route;
  }

  #misplaced(type: number): RpcError {
    if (type === FrameNumber.MmapReadFile) return new RpcError(Code.Unimplemented, "no service has MmapReadFile");
    const why = type === FrameNumber.ExecStdin ? "standard input came, but no exec runs" : "it is no request";
    return new RpcError(Code.InvalidArgument, `${numberText(type)}: ${why}`);
  }

  #refuse(trace: Uint8Array, error: RpcError): void {
    this.#connection.write(FrameNumber.Error, trace, encodeErrorPayload(error));
  }
}

/** Decodes a request; the wire's exec begins with the message that is the first of the method's stream. */
function decodeRequest(route: MethodRoute, wire: FrameMethod, payload: Uint8Array): Message {
  const schema = wire.shape === "exec" ? ExecRequestSchema : route.method.input;
  // A message without fields says nothing, and agents do not look at what came in its place.
  const end = schema.fields.length === 0 ? 0 : payload.length;
  return codecFor(schema).decode(payload, 0, end);
}

/** Encodes a response; one that cannot be sent is the handler's fault, not the client's. */
function encodeResponse(
  route: MethodRoute,
  message: object,
  frameBytes: number,
  trace: Uint8Array,
  parts: { readonly method: string; readonly peer: string },
): Uint8Array {
  try {
    return encodePayload(route.method.output, message, frameBytes, trace, parts);
  } catch (error) {
    const { code, rawMessage } = RpcError.from(error);
    const fault = code === Code.ResourceExhausted ? code : Code.Internal;
    throw new RpcError(fault, `the response of ${route.path} cannot be sent: ${rawMessage}`, parts);
  }
}
