// Waits until a connect has been decided. The kernel is asked between turns of the event loop, ever less often; nothing blocks,
// and nothing is left behind: timers and listeners are removed with the answer.
import { check } from "./errors.js";
import { intBytes, POLLOUT, type Syscalls } from "./syscalls.js";

const longestPauseMs = 50;

/** What ends the wait early. */
export interface WaitLimits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** The error for when the time is up. */
  readonly timedOut: () => Error;
}

/**
 * Waits until a descriptor can be written to or has failed.
 *
 * @throws the signal's reason, the error of `timedOut`, or the error of poll(2).
 */
export function waitWritable(calls: Syscalls, fd: number, limits: WaitLimits): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs } = limits;
    const pollfd = new Uint8Array(8);
    pollfd.set(intBytes(fd));
    new Int16Array(pollfd.buffer, 4, 1)[0] = POLLOUT;
    let pauseMs = 1;
    let pause: NodeJS.Timeout | undefined;
    const deadline = timeoutMs === undefined ? undefined : setTimeout(() => settle(limits.timedOut), timeoutMs);
    const aborted = (): void => settle(() => signal?.reason);
    const settle = (reason?: () => unknown): void => {
      clearImmediate(immediate);
      clearTimeout(pause);
      clearTimeout(deadline);
      signal?.removeEventListener("abort", aborted);
      if (reason === undefined) resolve();
      else reject(reason());
    };
    const step = (): void => {
      try {
        if (check(calls.poll(pollfd, 0), "poll") > 0) return settle();
      } catch (error) {
        return settle(() => error);
      }
      pause = setTimeout(step, pauseMs);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    };
    signal?.addEventListener("abort", aborted, { once: true });
    // A peer on this machine has answered by the next turn. Never in this one: who connects in a loop would keep a server in the
    // same process from accepting until its backlog is full.
    const immediate = setImmediate(step);
  });
}
