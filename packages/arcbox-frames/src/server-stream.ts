// The answers of a handler with a stream of responses, on their way to the client: written as fast as it takes them, and
// ended as the wire ends them. Knows neither requests nor connections' ends.
import { RpcError } from "@guestwire/rpc";
import { codecFor } from "@guestwire/rpc/codec";
import { iterate, leave, type MessageIterator, type MethodRoute, type Request } from "@guestwire/rpc/transport";
import type { FrameMethod } from "./numbers.js";
import type { FramesServerCall } from "./server-call.js";

/** Where answers go. */
export interface AnswerSink {
  /** Sends a response. @throws {RpcError} when it cannot be encoded or is over the limit. */
  answer(message: object): void;
  /** Sends an error in its place. */
  error(error: RpcError): void;
  /** Waits while the client takes less than was sent. */
  flushed(): Promise<void>;
}

/**
 * Runs a handler to its end and sends what it gives.
 *
 * `run` and `exec` end with an output that has `done` set. Where the handler gives none, one is sent for it: exit code 0 at
 * its regular end; after the first output, exit code 1 with the error's text where it failed. Before that, and at any
 * time of `events`, an error is an Error frame.
 */
export async function sendAnswers(
  route: MethodRoute,
  wire: FrameMethod,
  requests: Request,
  call: FramesServerCall,
  sink: AnswerSink,
): Promise<void> {
  const ends = wire.shape !== "events";
  let source: MessageIterator<object> | undefined;
  let sent = false;
  try {
    source = iterate(route.many(requests, call));
    const begun = source;
    // At once, as the next response, with which sending would notice, may never come.
    if (call.givenUp !== undefined) return leave(begun);
    call.signal.addEventListener("abort", () => leave(begun), { once: true });
    for (;;) {
      const result = await begun.next();
      if (call.givenUp !== undefined) return;
      if (result.done) break;
      sink.answer(result.value);
      sent = true;
      await sink.flushed();
      if (call.givenUp !== undefined) return;
      // Nobody listens after the last output: a handler that would go on cleans up, as when its reader leaves.
      if (ends && (result.value as { readonly done?: boolean }).done === true) return leave(begun);
    }
    if (ends) sink.answer(lastOutput(route, 0, ""));
  } catch (thrown) {
    if (call.givenUp !== undefined) return;
    // Of no effect where the handler itself failed; not so where its response could not be sent.
    leave(source);
    const error = RpcError.from(thrown);
    if (sent && ends) sink.answer(lastOutput(route, 1, error.rawMessage));
    else sink.error(error);
  }
}

function lastOutput(route: MethodRoute, exitCode: number, text: string): object {
  const init = { stream: "exit", data: new TextEncoder().encode(text), exitCode, done: true };
  return codecFor(route.method.output).create(init as never);
}
