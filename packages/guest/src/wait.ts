// Waiting with a limit: a time, or somebody who gives up.

/**
 * Waits for a promise, but not for ever.
 *
 * @param hurry Ends the waiting early.
 * @returns Whether the promise settled in time.
 */
export async function settledWithin(promise: Promise<unknown>, ms: number, hurry?: AbortSignal): Promise<boolean> {
  if (hurry?.aborted) ms = 0;
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(late.resolve, Math.min(ms, 2 ** 31 - 1), false);
  const stop = (): void => late.resolve(false);
  hurry?.addEventListener("abort", stop);
  try {
    const settled = promise.then(
      () => true,
      () => true,
    );
    return await Promise.race([settled, late.promise]);
  } finally {
    clearTimeout(timer);
    hurry?.removeEventListener("abort", stop);
  }
}

/**
 * Waits for a promise or for a signal, whatever comes first. What the promise gives later is dropped.
 *
 * @throws the signal's reason, once it fires.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
