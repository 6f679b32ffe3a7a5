// The bounds of a server of raw streams, each with its reason. Nothing else.
import { Code, RpcError } from "@guestwire/rpc";

/** What a server of raw streams keeps for clients that may never come back. */
export interface StreamServerLimits {
  /** How long a connection may take to bring its four bytes, in milliseconds. Default 10,000. */
  readonly nameMs: number;
  /** How many connections may be about to bring theirs. Default 128. */
  readonly unnamed: number;
  /** How many streams may wait to be claimed. Default 256: three for each of some eighty processes being made at once. */
  readonly unclaimed: number;
  /** How long a stream waits to be claimed, in milliseconds; then it is closed. Default 60,000. */
  readonly unclaimedMs: number;
}

/** What holds where nothing else is said. */
export const defaultStreamLimits: StreamServerLimits = {
  nameMs: 10_000,
  unnamed: 128,
  unclaimed: 256,
  unclaimedMs: 60_000,
};

const longestTimerMs = 2 ** 31 - 1;

/** Fills in and checks limits. @throws {RpcError} Code.InvalidArgument naming the one that is wrong. */
export function readLimits(given: Partial<StreamServerLimits> = {}): StreamServerLimits {
  const limits = { ...defaultStreamLimits };
  for (const name of Object.keys(given) as (keyof StreamServerLimits)[]) {
    const value = given[name];
    if (!(name in defaultStreamLimits)) throw new RpcError(Code.InvalidArgument, `limits.${name} is not known`);
    if (value === undefined) continue;
    if (!(typeof value === "number" && value > 0)) {
      throw new RpcError(Code.InvalidArgument, `limits.${name} must be a number above 0, not ${String(value)}`);
    }
    limits[name] = name.endsWith("Ms") ? Math.min(value, longestTimerMs) : value;
  }
  return limits;
}
