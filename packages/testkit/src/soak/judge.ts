// Whether a call may end as it did: which errors are excused on its road, and how late it may be. Keeps no sockets, no clock
// of its own.
import { Code, RpcError } from "@guestwire/rpc";
import type { Profile } from "./profiles.js";

/** What was asked of a call, and when. Times are `performance.now()`. */
export interface CallTerms {
  readonly name: string;
  readonly profile: Profile;
  readonly startedAt: number;
  /** Infinity for none. */
  readonly timeoutMs: number;
  /** The reader pauses by itself, for so long at most. */
  readonly pausesMs: number;
  /** When its own signal fired. */
  abortedAt: number | undefined;
}

/** How late a call may be on an event loop that is never late. */
export const lateMs = 50;
/** A call without a deadline must end in this time all the same, as no fault lasts so long. */
export const hangMs = 30_000;
// A deadline that no machine is too slow for: missing it needs an excuse.
const plentyMs = 10_000;
// A reader that the loop held up for so long may have lost the race against `stallMs`.
const heldUpMs = 500;

/** When the call must have ended, save for the stalls of the loop. */
export function dueAt({ startedAt, timeoutMs, pausesMs, abortedAt }: CallTerms): number {
  const deadline = startedAt + Math.min(timeoutMs, hangMs);
  return Math.min(deadline, abortedAt ?? Number.POSITIVE_INFINITY) + pausesMs;
}

/**
 * What is wrong with a call that ended now.
 *
 * @param stallMs For how long the loop was held up since a time.
 */
export function judge(
  call: CallTerms,
  error: unknown,
  now: number,
  stallMs: (since: number) => number,
): string | undefined {
  // What had come in time may be read later.
  if (error === undefined && call.pausesMs > 0) return undefined;
  const due = dueAt(call);
  const late = now - due;
  if (late > lateMs && late > lateMs + stallMs(due)) {
    return `ended ${late.toFixed(0)} ms late, of which the loop explains ${stallMs(due).toFixed(0)} ms`;
  }
  if (error === undefined) return undefined;
  if (!(error instanceof RpcError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  return excused(call, error, now, stallMs) ? undefined : `was not to fail with ${error.reason ?? ""} ${error.message}`;
}

function excused(call: CallTerms, error: RpcError, now: number, stallMs: (since: number) => number): boolean {
  const { startedAt, timeoutMs, abortedAt, pausesMs } = call;
  const { excuses } = call.profile;
  if (error.code === Code.Canceled && error.reason === "canceled") return abortedAt !== undefined;
  if (error.code === Code.DeadlineExceeded && error.reason === "deadline") {
    // Timers of whole milliseconds may be a little early.
    if (now - startedAt < timeoutMs - 2) return false;
    return timeoutMs < plentyMs || excuses.includes("deadline");
  }
  if (error.code === Code.ResourceExhausted && error.reason === "overflow") {
    return pausesMs > 0 || stallMs(startedAt) > heldUpMs || excuses.includes("deadline");
  }
  return error.code === Code.Unavailable && error.reason !== undefined && excuses.includes(error.reason);
}
