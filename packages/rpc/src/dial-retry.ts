// Dials until somebody answers. One socket for each attempt, and none that is left over.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Address, formatAddress, parseAddress } from "./address.js";
import { dialAddress } from "./dial.js";
import { type DialRetryOptions, retryDial } from "./dial-retry-loop.js";
import { type DialPolicy, defaultDial } from "./dial-retry-policy.js";
import { givenStream } from "./given-stream.js";
import { checkKnown, optionNames } from "./known-options.js";
import { within } from "./within.js";

/** How {@link dialWithRetry} tries. */
export interface DialWithRetryOptions extends DialRetryOptions {
  /** When to try, and for how long. Default {@link defaultDial}. */
  readonly policy?: DialPolicy;
}

const known = optionNames<DialWithRetryOptions>({
  policy: true,
  timeoutMs: true,
  signal: true,
  isTransient: true,
  onAttempt: true,
  clock: true,
  random: true,
});

/**
 * Opens a connection to a guest that may still be coming up: tries again, each time with a new socket, as long as the
 * failure is one that passes.
 *
 * @param target An address, or a function that makes one attempt. Its signal fires when nobody waits for that attempt
 * any more; a stream that it gives afterwards is destroyed. A socket that still connects is waited for.
 * @param options See {@link DialWithRetryOptions}. The first attempt is made at once.
 * @returns The open connection, from which nothing was read.
 * @throws {RpcError} Code.DeadlineExceeded when the time is up; Code.Canceled when the signal fires;
 * Code.InvalidArgument when the address or an option is wrong; for a failure that does not pass its own code, or
 * Code.Unavailable. The message says how many attempts there were in how long; `cause` is the last failure.
 *
 * @example
 * const socket = await dialWithRetry("vsock://3:1026", { policy: spinboxStreamDial, signal });
 */
export function dialWithRetry(target: string | Address, options?: DialWithRetryOptions): Promise<Socket>;
export function dialWithRetry<T extends Duplex>(
  target: (signal: AbortSignal) => T | Promise<T>,
  options?: DialWithRetryOptions,
): Promise<T>;
export async function dialWithRetry(
  target: string | Address | ((signal: AbortSignal) => Duplex | Promise<Duplex>),
  options: DialWithRetryOptions = {},
): Promise<Duplex> {
  checkKnown("dialWithRetry()", options, known);
  const [name, dial] = dialerOf(target);
  return retryDial<Duplex>(
    {
      failed: `cannot connect to ${name}`,
      late: "no connection",
      policy: options.policy ?? defaultDial,
      attempt: ({ attemptMs, signal, clock }) =>
        within(dial, {
          ms: attemptMs,
          signal,
          clock,
          late: "no connection",
          dispose: (late) => void late?.destroy?.(),
        }),
    },
    options,
  );
}

function dialerOf(
  target: string | Address | ((signal: AbortSignal) => Duplex | Promise<Duplex>),
): [name: string, dial: (signal: AbortSignal) => Promise<Duplex>] {
  if (typeof target === "function") {
    return ["duplex:", (signal) => givenStream(target, "dialWithRetry()", signal)];
  }
  const address = typeof target === "string" ? parseAddress(target) : target;
  return [formatAddress(address), (signal) => dialAddress(address, { signal })];
}
