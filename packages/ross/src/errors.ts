// Ross's errors as their codes should be. The daemon answers INTERNAL for most of what went wrong and tells in the text
// what it was.
import { Code, type Interceptor, RpcError } from "@guestwire/rpc";
import { mapFailures } from "./streams.js";

/** A text of the daemon and the code that it stands for. */
export interface RossText {
  /** Matched anywhere in the message. */
  readonly pattern: RegExp;
  readonly code: Code;
}

/**
 * The texts that {@link rossErrors} knows, the first that matches counts: something "not found" or "no such …" is
 * `NotFound`; an invalid state ("expected …, actual …"), something not or already running, paused or started is
 * `FailedPrecondition`; something that "already exists" is `AlreadyExists`.
 */
export const rossTexts: readonly RossText[] = [
  { pattern: /\b(?:container|image|exec(?: instance)?|snapshot|blob|task)\b[^:]* not found\b/i, code: Code.NotFound },
  { pattern: /\bno such (?:container|image|exec(?: instance)?|snapshot|task)\b/i, code: Code.NotFound },
  { pattern: /\binvalid (?:container )?state\b/i, code: Code.FailedPrecondition },
  { pattern: /\bexpected\b.{0,80}\bactual\b/i, code: Code.FailedPrecondition },
  { pattern: /\b(?:not|already) (?:running|paused|started|stopped)\b/i, code: Code.FailedPrecondition },
  { pattern: /\balready exists\b/i, code: Code.AlreadyExists },
];

/**
 * The error that the daemon means.
 *
 * @returns The same error unless it is `Internal` with a text of {@link rossTexts}; then one with the right code and the
 * original as its `cause`.
 */
export function rossError(error: unknown): RpcError {
  const failed = RpcError.from(error);
  if (failed.code !== Code.Internal || failed.reason !== undefined) return failed;
  const known = rossTexts.find(({ pattern }) => pattern.test(failed.rawMessage));
  if (known === undefined) return failed;
  const { rawMessage, details, metadata, method, peer } = failed;
  return new RpcError(known.code, rawMessage, {
    cause: failed,
    details,
    ...(metadata !== undefined && { metadata }),
    ...(method !== undefined && { method }),
    ...(peer !== undefined && { peer }),
  });
}

/**
 * Interceptor that gives failed calls the code that the daemon means, by {@link rossError}. Part of `openRoss()`; use it with
 * clients of your own.
 */
export const rossErrors: Interceptor = (next) => async (call) => {
  try {
    const reply = await next(call);
    return reply.stream ? { stream: true, messages: mapFailures(reply.messages, rossError) } : reply;
  } catch (error) {
    throw rossError(error);
  }
};
