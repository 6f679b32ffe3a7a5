// The error of a call that has to fail.
import { RpcError } from "@guestwire/rpc";

/**
 * Waits for a call's error.
 *
 * @throws {Error} when the call succeeds.
 */
export async function rejection(call: PromiseLike<unknown>): Promise<RpcError> {
  const outcome = await Promise.resolve(call).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error(`the call succeeded with ${String(outcome.value)}`);
  return RpcError.from(outcome.error);
}
