// A call with a stream of answers (run, exec, events), on a connection that it holds to its end. The frames are read when
// the caller reads, so a slow reader slows the agent down.
import type { Message } from "@bufbuild/protobuf";
import { Code, RpcError } from "@guestwire/rpc";
import {
  endedResponses,
  type MessageStream,
  type ResponseStream,
  type StreamingMethod,
} from "@guestwire/rpc/transport";
import { callError, type ErrorParts, encodePayload, readAnswer } from "./answer.js";
import type { FrameConnection } from "./connection.js";
import { ExecRequests } from "./exec-requests.js";
import type { CallHome, WireCall } from "./unary-call.js";

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** Begins a call. */
export function callStream(
  home: CallHome,
  method: StreamingMethod,
  request: object | MessageStream<object>,
  call: WireCall,
): ResponseStream<Message> {
  const { wire, end, trace } = call;
  const parts: ErrorParts = { method: wire.path, peer: home.target };
  const { frameBytes } = home.limits;
  const requests = wire.shape === "exec" ? new ExecRequests(request, call, parts, frameBytes) : undefined;
  const open = async (): Promise<AnswerStream> => {
    const payload =
      requests === undefined ? encodePayload(method.input, request, frameBytes, trace, parts) : await requests.first();
    const connection = await home.streams.acquire(end);
    const answers = new AnswerStream(home, method, call, parts, connection, () => requests?.leave());
    end.whenOver(() => answers.finish(false));
    connection.write(wire.request, trace, payload);
    void requests?.send(connection);
    return answers;
  };
  return endedResponses(end, open, (error) => callError(error, parts));
}

/** The answers as they come. Gives its connection back once, at its end. */
class AnswerStream implements AsyncIterableIterator<Message, undefined, void> {
  readonly #home: CallHome;
  readonly #method: StreamingMethod;
  readonly #call: WireCall;
  readonly #parts: ErrorParts;
  readonly #connection: FrameConnection;
  readonly #over: () => void;
  #finished = false;

  constructor(
    home: CallHome,
    method: StreamingMethod,
    call: WireCall,
    parts: ErrorParts,
    connection: FrameConnection,
    over: () => void,
  ) {
    this.#home = home;
    this.#method = method;
    this.#call = call;
    this.#parts = parts;
    this.#connection = connection;
    this.#over = over;
  }

  async next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#finished) return finished;
    let reusable = false;
    let more = false;
    try {
      const frame = await this.#connection.read();
      if (frame === undefined) throw this.#closed();
      const { wire, trace } = this.#call;
      const answer = readAnswer(frame, wire, this.#method, trace, this.#parts);
      if (answer.kind === "error") {
        reusable = wire.shape === "run";
        throw answer.error;
      }
      more = wire.shape === "events" || (answer.message as Message & { done?: boolean }).done !== true;
      // An exec's connection may still have input under way, which would be taken for a request.
      reusable = wire.shape === "run";
      return { done: false, value: answer.message };
    } finally {
      if (!more) this.finish(reusable);
    }
  }

  async return(): Promise<IteratorResult<Message, undefined>> {
    this.finish(false);
    return finished;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the stream: the connection is given back or closed, which is all that tells the agent. */
  finish(reusable: boolean): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#over();
    this.#home.streams.release(this.#connection, reusable);
  }

  #closed(): RpcError {
    const text =
      this.#call.wire.shape === "events"
        ? "the agent closed the connection; what happens from now on is not told"
        : "the agent closed the connection before the last output";
    return new RpcError(Code.Unavailable, text, { ...this.#parts, reason: "connection_closed" });
  }
}
