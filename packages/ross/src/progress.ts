// Pull, push and build: streams that end well also when the work failed, with the failure as an item. Here it is an error.
import { Code, type ResponseStream, RpcError } from "@guestwire/rpc";
import { rossTexts } from "./errors.js";
import { passedOn } from "./streams.js";

/** Progress of a pull, push or build. Reading it to its end means success. */
export interface Progress<T> extends AsyncIterable<T> {
  /**
   * Reads the rest and drops it.
   *
   * @throws {RpcError} why the work failed.
   */
  done(): Promise<void>;
}

/**
 * Makes an error of an `error` item.
 *
 * @param what What was being done, as `pulling alpine:latest`.
 * @returns Fails with an RpcError at such an item: `NotFound` and the other codes that {@link rossTexts} tells, otherwise
 * `Unknown`; the message is the item's text.
 */
export function raiseInBand<T extends { readonly error: string }>(
  messages: ResponseStream<T> | AsyncIterable<T>,
  what: string,
): Progress<T> {
  const checked = passedOn(messages, (item) => {
    if (item.error !== "") throw inBandError(item.error, what);
    return item;
  });
  return {
    [Symbol.asyncIterator]: () => checked[Symbol.asyncIterator](),
    async done() {
      for await (const _ of checked);
    },
  };
}

function inBandError(text: string, what: string): RpcError {
  const code = /\b(?:not found|manifest unknown|no such image)\b/i.test(text)
    ? Code.NotFound
    : /\b(?:unauthorized|authentication required)\b/i.test(text)
      ? Code.Unauthenticated
      : /\b(?:denied|forbidden)\b/i.test(text)
        ? Code.PermissionDenied
        : (rossTexts.find(({ pattern }) => pattern.test(text))?.code ?? Code.Unknown);
  return new RpcError(code, `${what} failed: ${text}`);
}
