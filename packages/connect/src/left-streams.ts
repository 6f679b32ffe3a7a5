// Connect's streams know no `break`: their iterators have no `return`, so nobody tells that a reader has left. What is left
// is found when it is collected as garbage, and its call ended then. Later than a signal would, but not never.
import { Code, ConnectError } from "@connectrpc/connect";
import { hooked, type StreamHooks } from "./streams.js";

const left = new FinalizationRegistry<AbortController>((call) => {
  call.abort(new ConnectError("nobody reads the stream any more", Code.Canceled));
});

/**
 * Responses that end their call when who has begun to read them is gone. Nobody may hold them but their reader. A stream
 * that was never read goes on: its call may be made for what the server does.
 *
 * @param call Aborted when the reader is gone.
 */
export function leftWithReader<T>(
  responses: AsyncIterable<T>,
  call: AbortController,
  hooks: Pick<StreamHooks, "failed">,
): AsyncIterableIterator<T> {
  let watched = false;
  const messages = hooked(responses, {
    ...hooks,
    each() {
      if (watched) return;
      watched = true;
      left.register(messages, call, call);
    },
    ended: () => left.unregister(call),
  });
  return messages;
}
