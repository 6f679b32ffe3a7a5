// A piece of work with a limit: a time, a signal of the caller's. Leaves neither timer nor listener behind.
import { Code, RpcError } from "@guestwire/rpc";
import { checkSignal, checkTimeout } from "@guestwire/rpc/transport";

/** When to give up. */
export interface Limit {
  readonly signal?: AbortSignal | undefined;
  /** In milliseconds; 0 and Infinity for no limit. */
  readonly timeoutMs: number;
}

/**
 * Does something until it is done or given up.
 *
 * @param what How errors name it, as "opening stream 7 of vsock://3:1026".
 * @param work Gets a signal that fires when it is to give up; its reason is the error to throw.
 * @throws {RpcError} Code.DeadlineExceeded or Code.Canceled; whatever the work throws.
 */
export async function within<T>(limit: Limit, what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal, timeoutMs } = limit;
  checkTimeout(timeoutMs);
  checkSignal(signal);
  const controller = new AbortController();
  const cancel = (): void => {
    const { reason: cause } = signal as AbortSignal;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    controller.abort(new RpcError(Code.Canceled, `${what} was canceled${why}`, { reason: "canceled", cause }));
  };
  if (signal?.aborted) cancel();
  controller.signal.throwIfAborted();
  const late = (): void => {
    const message = `${what} took longer than ${timeoutMs} ms`;
    controller.abort(new RpcError(Code.DeadlineExceeded, message, { reason: "deadline" }));
  };
  const limited = timeoutMs > 0 && timeoutMs < 2 ** 31;
  const timer = limited ? setTimeout(late, timeoutMs) : undefined;
  signal?.addEventListener("abort", cancel);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}
