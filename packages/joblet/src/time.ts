// Joblet's ways to write a moment: nanoseconds since 1970 in events, RFC 3339 in statuses, a message of its own in workflows.
import { Code, RpcError } from "@guestwire/rpc";
import type { Timestamp } from "./gen/joblet/common_pb.js";

const nsPerMs = 1_000_000n;
// What a Date can show: 100,000,000 days around 1970.
const mostMs = 8.64e15;

/**
 * The moment of an event. What is below a millisecond is cut off.
 *
 * @param ns Nanoseconds since 1970, as in `JobMetricsEvent.timestamp`.
 * @throws {RpcError} Code.OutOfRange for a moment that a `Date` cannot show.
 */
export function dateFromNs(ns: bigint): Date {
  const ms = ns / nsPerMs - (ns % nsPerMs < 0n ? 1n : 0n);
  return checked(Number(ms), `${ns} ns`);
}

/**
 * A moment as events have it, for `GetJobMetricsRequest.startTime` and the like.
 *
 * @throws {RpcError} Code.InvalidArgument for an invalid `Date`.
 */
export function nsFromDate(date: Date): bigint {
  const ms = date.getTime();
  if (Number.isNaN(ms)) throw new RpcError(Code.InvalidArgument, "the date is no valid date");
  return BigInt(ms) * nsPerMs;
}

/**
 * A moment of a status, as `GetJobStatusResponse.startTime`. What is below a millisecond is cut off.
 *
 * @param text RFC 3339; empty for a moment that has not come.
 * @returns `undefined` for an empty text.
 * @throws {RpcError} Code.InvalidArgument for any other text.
 */
export function dateFromText(text: string): Date | undefined {
  if (text === "") return undefined;
  const parts = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.exec(text);
  if (parts !== null) {
    const [, day, time, fraction = "", zone = ""] = parts;
    const date = new Date(`${day}T${time}${fraction.slice(0, 4)}${zone.toUpperCase()}`);
    if (!Number.isNaN(date.getTime())) return date;
  }
  throw new RpcError(Code.InvalidArgument, `${JSON.stringify(text)} is no time in the form of RFC 3339`);
}

/**
 * A moment as RunJob takes it in `schedule`.
 *
 * @throws {RpcError} Code.InvalidArgument for an invalid `Date`.
 */
export function textFromDate(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new RpcError(Code.InvalidArgument, "the date is no valid date");
  return date.toISOString();
}

/**
 * A moment of a workflow.
 *
 * @returns `undefined` for a moment that has not come.
 * @throws {RpcError} Code.OutOfRange for a moment that a `Date` cannot show.
 */
export function dateFromTimestamp(timestamp: Timestamp | undefined): Date | undefined {
  if (timestamp === undefined) return undefined;
  const ms = Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6);
  return checked(ms, `${timestamp.seconds} s`);
}

/** A moment as workflows have it. @throws {RpcError} Code.InvalidArgument for an invalid `Date`. */
export function timestampFromDate(date: Date): { seconds: bigint; nanos: number } {
  const ns = nsFromDate(date);
  const nanos = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: (ns - nanos) / 1_000_000_000n, nanos: Number(nanos) };
}

function checked(ms: number, what: string): Date {
  if (Math.abs(ms) <= mostMs) return new Date(ms);
  throw new RpcError(Code.OutOfRange, `${what} since 1970 is no moment that a Date can show`);
}
