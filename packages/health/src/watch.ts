// Following a server's health through whatever happens to it: one Watch call after another, with pauses between. Does not
// decide what to do about it.
import { setTimeout as pause } from "node:timers/promises";
import { type CallOptions, type Channel, Code, type ResponseStream, RpcError } from "@guestwire/rpc";
import { checkSignal } from "@guestwire/rpc/transport";
import { createHealthClient } from "./gen/grpc/health/v1/health_rpc.js";
import { type ServiceName, ServingStatus, serviceName } from "./serving-status.js";

/** How a service is, as far as can be known from here. */
export interface HealthState {
  /** What the server said last; `UNKNOWN` where it cannot be asked. */
  readonly status: ServingStatus;
  /** Why the server cannot be asked; `undefined` while it can. */
  readonly error: RpcError | undefined;
}

/** How long to wait before the next attempt after the server could not be asked. Grows by 1.6, and varies by a fifth. */
export interface WatchBackoff {
  /** The first pause, in milliseconds. Default 100. */
  readonly initialMs?: number;
  /** The longest pause, in milliseconds. Default 10,000. */
  readonly maxMs?: number;
}

/** Options of {@link watchHealth}. */
export interface WatchHealthOptions extends Pick<CallOptions, "signal" | "metadata"> {
  /** Pauses between attempts. */
  readonly backoff?: WatchBackoff;
}

/**
 * Follows the status of a service: the present state at once, then every change, never the same state twice in a row. When
 * the server cannot be asked the state is `UNKNOWN` with the error, and it is asked again after a pause, for as long as
 * states are read. So leave the loop, or fire the signal, before you close the channel.
 *
 * @param channel A channel of any transport.
 * @param service Its name or descriptor. Default `""`, the server as a whole.
 * @throws {RpcError} (from reading) Code.Unimplemented when the server has no health service; Code.Canceled when the signal
 * fired or the channel was closed under a running call; Code.InvalidArgument for a bad argument, at once.
 *
 * @example
 * for await (const { status } of watchHealth(channel)) if (status !== ServingStatus.SERVING) await standIn();
 */
export function watchHealth(
  channel: Channel,
  service: ServiceName = "",
  options: WatchHealthOptions = {},
): ResponseStream<HealthState> {
  checkSignal(options.signal);
  const name = serviceName(service);
  const pauses = checkedBackoff(options.backoff);
  const left = new AbortController();
  const states = follow(channel, name, options, pauses, left);
  const leave = async (): Promise<IteratorResult<HealthState, undefined>> => {
    left.abort(leaving);
    return states.return(undefined);
  };
  return {
    next: () => states.next(),
    return: leave,
    async throw(error) {
      await leave();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await leave();
    },
  };
}

/** The reason of the end when it is the reader who left: no error for anybody. */
const leaving = Symbol("the reader has left");

/** After these another attempt would end no other way. */
const final: ReadonlySet<Code> = new Set([Code.Unimplemented, Code.InvalidArgument]);

async function* follow(
  channel: Channel,
  service: string,
  { signal, metadata }: WatchHealthOptions,
  pauses: Required<WatchBackoff>,
  end: AbortController,
): AsyncGenerator<HealthState, undefined, void> {
  const client = createHealthClient(channel);
  const stop = (): void => end.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  let told: HealthState | undefined;
  const isNews = (state: HealthState): boolean => {
    if (state.status === told?.status && (state.error === undefined) === (told.error === undefined)) return false;
    told = state;
    return true;
  };
  try {
    for (let failures = 0; ; failures++) {
      let error: RpcError;
      try {
        // A channel's own limit is meant for calls that end.
        const call = { timeoutMs: 0, signal: end.signal, ...(metadata !== undefined && { metadata }) };
        for await (const { status } of client.watch({ service }, call)) {
          failures = 0;
          const state: HealthState = { status, error: undefined };
          if (isNews(state)) yield state;
        }
        error = new RpcError(Code.Unavailable, "the server has ended the watch", { peer: channel.target });
      } catch (thrown) {
        error = RpcError.from(thrown);
      }
      if (end.signal.reason === leaving) return undefined;
      // Canceled by this side, which only the signal and the end of the channel do.
      if (end.signal.aborted || error.reason === "canceled" || final.has(error.code)) throw error;
      const state: HealthState = { status: ServingStatus.UNKNOWN, error };
      if (isNews(state)) yield state;
      await rest(Math.min(pauses.initialMs * 1.6 ** failures, pauses.maxMs), end.signal);
    }
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Waits for some time, or until the signal fires. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  // Not in step with all others that lost the same server.
  await pause(ms * (0.8 + Math.random() * 0.4), undefined, { signal }).catch(() => {});
}

/** @throws {RpcError} Code.InvalidArgument naming the pause that is wrong. */
export function checkedBackoff({ initialMs = 100, maxMs = 10_000 }: WatchBackoff = {}): Required<WatchBackoff> {
  for (const [name, value] of Object.entries({ initialMs, maxMs })) {
    if (typeof value === "number" && value > 0 && value <= 86_400_000) continue;
    throw new RpcError(
      Code.InvalidArgument,
      `backoff.${name} must be from above 0 to a day in milliseconds, not ${value}`,
    );
  }
  return { initialMs, maxMs };
}
