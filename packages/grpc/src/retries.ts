// Which calls grpc-js may make again: those whose method the schema calls idempotent, and no others. The repeating
// itself (pauses, the server's pushback, what was sent already) is grpc-js' own.
import { type experimental, type RetryPolicy, status } from "@grpc/grpc-js";
import { Code, RpcError } from "@guestwire/rpc";
import { checkKnown } from "./known-options.js";

/**
 * How calls are repeated that failed with `Unavailable` before any response came. Only methods that the schema marks
 * `idempotency_level = IDEMPOTENT` or `NO_SIDE_EFFECTS` are; for others nobody knows what was done already. A unary call
 * whose connection breaks is repeated also when its header had come already; `onHeader` then gets the new one as well.
 *
 * A call that has sent more than 1 MiB is not repeated after an answer of the server, as grpc-js keeps no more of it; nor
 * is one while 16 MiB are kept for others. `channelOptions` sets other bounds, in bytes: `grpc.per_rpc_retry_buffer_size`
 * and `grpc.retry_buffer_size`.
 */
export interface RetryOptions {
  /** How often a call is made at most, the first time included. A whole number from 2 on. Default 4. */
  readonly attempts?: number;
  /** The pause before the second attempt, in milliseconds, give or take 20 %. Default 50. */
  readonly initialBackoffMs?: number;
  /** The longest pause, in milliseconds. Default 1,000. */
  readonly maxBackoffMs?: number;
  /** By how much each pause is longer than the one before. Default 2. */
  readonly backoffMultiplier?: number;
}

/** Retries of a channel. */
export interface Retries {
  readonly attempts: number;
  /** Paths of the methods that may be repeated; calls add theirs. */
  readonly paths: Set<string>;
  /** How many attempts the call has left that is being started; all of them where it is not set. */
  left: number | undefined;
  readonly selector: experimental.ConfigSelector;
}

const known: ReadonlySet<string> = new Set<keyof RetryOptions>([
  "attempts",
  "initialBackoffMs",
  "maxBackoffMs",
  "backoffMultiplier",
]);

/** @throws {RpcError} Code.InvalidArgument naming the option that is wrong. */
export function resolveRetries(given: boolean | RetryOptions): Retries | undefined {
  if (given === false) return undefined;
  if (given !== true && (typeof given !== "object" || given === null)) {
    throw new RpcError(Code.InvalidArgument, `retries must be true, false or an object, not ${String(given)}`);
  }
  const options = given === true ? {} : given;
  checkKnown("retries", options, known);
  const attempts = options.attempts ?? 4;
  if (!Number.isInteger(attempts) || attempts < 2) {
    throw new RpcError(Code.InvalidArgument, `retries.attempts must be a whole number from 2 on, not ${attempts}`);
  }
  const policy: RetryPolicy = {
    maxAttempts: attempts,
    initialBackoff: seconds("initialBackoffMs", options.initialBackoffMs ?? 50),
    maxBackoff: seconds("maxBackoffMs", options.maxBackoffMs ?? 1000),
    backoffMultiplier: above("backoffMultiplier", options.backoffMultiplier ?? 2),
    retryableStatusCodes: [status.UNAVAILABLE],
  };
  const paths = new Set<string>();
  const once = callConfig({ name: [] });
  const again = callConfig({ name: [], retryPolicy: policy });
  const limited = (maxAttempts: number): CallConfig =>
    maxAttempts < 2 ? once : callConfig({ name: [], retryPolicy: { ...policy, maxAttempts } });
  const invoke = (path: string): CallConfig => {
    if (!paths.has(path)) return once;
    return retries.left === undefined ? again : limited(retries.left);
  };
  const retries: Retries = { attempts, paths, left: undefined, selector: { invoke, unref() {} } };
  return retries;
}

type CallConfig = ReturnType<experimental.ConfigSelector["invoke"]>;

function callConfig(methodConfig: CallConfig["methodConfig"]): CallConfig {
  return { methodConfig, pickInformation: {}, status: status.OK, dynamicFilterFactories: [] };
}

function seconds(name: string, ms: number): string {
  return `${(above(name, ms) / 1000).toFixed(9)}s`;
}

function above(name: string, value: number): number {
  if (typeof value === "number" && value > 0 && value < 1e9) return value;
  throw new RpcError(Code.InvalidArgument, `retries.${name} must be a number above 0, not ${value}`);
}
