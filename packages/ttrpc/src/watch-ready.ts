// Tells when a server that was ready stops answering, and when it answers again. Only asks; mends nothing.
import { Code, RpcError } from "@guestwire/rpc";
import { checkKnown, checkSignal, optionNames, pause, systemClock } from "@guestwire/rpc/transport";
import { type ProbeOptions, probe, type ReadyTarget } from "./wait-ready.js";

/** How {@link watchReady} asks. */
export interface WatchReadyOptions extends ProbeOptions {
  /** The pause between two probes, in milliseconds. Default 500, as spinbox has it. */
  readonly everyMs?: number;
  /** After how many failures in a row the server counts as gone. Default 2, as spinbox has it. */
  readonly failures?: number;
}

const known = optionNames<WatchReadyOptions>({
  everyMs: true,
  failures: true,
  connectTimeoutMs: true,
  answerTimeoutMs: true,
  signal: true,
  clock: true,
});

/** What has changed. */
export type ReadyState =
  | { readonly ready: true }
  /** `error`: why the last probe failed. */
  | { readonly ready: false; readonly error: RpcError };

/**
 * Probes a server again and again, and yields whenever it begins or ceases to answer; the first time what it finds.
 *
 * @param target As for {@link waitReady}.
 * @param options See {@link WatchReadyOptions}. The signal ends the loop that reads it, without an error, as `return()` does
 * at any time.
 * @throws {RpcError} Code.InvalidArgument when the target or an option is wrong.
 *
 * @example
 * for await (const state of watchReady("vsock://3:1025", { signal })) if (!state.ready) log(state.error.message);
 */
export function watchReady(
  target: ReadyTarget,
  options: WatchReadyOptions = {},
): AsyncIterableIterator<ReadyState, undefined> {
  const left = new AbortController();
  const states = watch(target, options, left.signal);
  return {
    next: () => states.next(),
    // A generator alone would hear of it with the next state only.
    return() {
      left.abort();
      return states.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* watch(
  target: ReadyTarget,
  options: WatchReadyOptions,
  left: AbortSignal,
): AsyncGenerator<ReadyState, undefined> {
  checkKnown("watchReady()", options, known);
  const { everyMs = 500, failures = 2, ...asking } = options;
  const { clock = systemClock } = options;
  if (!(everyMs > 0)) {
    throw new RpcError(Code.InvalidArgument, `everyMs must be a number of milliseconds above 0, not ${everyMs}`);
  }
  if (!(Number.isSafeInteger(failures) && failures > 0)) {
    throw new RpcError(Code.InvalidArgument, `failures must be a whole number from 1 on, not ${failures}`);
  }
  checkSignal(options.signal);
  const signal = options.signal === undefined ? left : AbortSignal.any([options.signal, left]);
  let ready: boolean | undefined;
  let failed = 0;
  while (!signal.aborted) {
    const error = await probe(target, { ...asking, signal }).then(
      () => undefined,
      (thrown: unknown) => RpcError.from(thrown),
    );
    if (signal.aborted) return;
    // A wrong option is the caller's fault and will stay.
    if (error?.code === Code.InvalidArgument) throw error;
    failed = error === undefined ? 0 : failed + 1;
    if (error === undefined && ready !== true) {
      ready = true;
      yield { ready };
    } else if (error !== undefined && failed >= failures && ready !== false) {
      ready = false;
      yield { ready, error };
    }
    await pause(everyMs, clock, signal);
  }
}
