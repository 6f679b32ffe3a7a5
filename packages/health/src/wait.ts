// Waiting for a service to be there, as after the start of a machine. All asking is watch.ts'.
import { type Channel, Code, RpcError } from "@guestwire/rpc";
import { checkSignal, checkTimeout } from "@guestwire/rpc/transport";
import { type ServiceName, ServingStatus, serviceName, statusName } from "./serving-status.js";
import { type HealthState, type WatchHealthOptions, watchHealth } from "./watch.js";

/** Options of {@link waitUntilServing}. */
export interface WaitUntilServingOptions extends WatchHealthOptions {
  /** How long to wait, in milliseconds; 0 and Infinity mean for ever, as does the default. */
  readonly timeoutMs?: number;
}

// Timers count in 31 bits, about 25 days.
const longestTimerMs = 2 ** 31 - 1;

const timeUp = Symbol("the time is up");

/**
 * Waits until a service is `SERVING`. A server that cannot be reached yet, or does not know the service yet, is waited for.
 *
 * @param channel A channel of any transport.
 * @param service Its name or descriptor. Default `""`, the server as a whole.
 * @throws {RpcError} (as a rejection) Code.DeadlineExceeded when the time is up, saying how the service was last, with the last
 * error as cause; Code.Canceled when the signal fired; Code.Unimplemented when the server has no health service.
 *
 * @example
 * await waitUntilServing(channel, MachineService, { timeoutMs: 10_000 });
 */
export async function waitUntilServing(
  channel: Channel,
  service: ServiceName = "",
  options: WaitUntilServingOptions = {},
): Promise<void> {
  const { timeoutMs, signal, ...rest } = options;
  checkTimeout(timeoutMs);
  checkSignal(signal);
  const end = new AbortController();
  const stop = (): void => end.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  const timer = timeoutMs && setTimeout(() => end.abort(timeUp), Math.min(timeoutMs, longestTimerMs));
  let last: HealthState | undefined;
  try {
    for await (last of watchHealth(channel, service, { ...rest, signal: end.signal })) {
      if (last.status === ServingStatus.SERVING) return;
    }
  } catch (error) {
    if (end.signal.reason !== timeUp) throw error;
    const name = serviceName(service);
    const what = name === "" ? "the server" : name;
    const state = last === undefined ? "has not answered" : `is ${statusName(last.status)}`;
    const why = last?.error === undefined ? "" : ` (${last.error.rawMessage})`;
    throw new RpcError(Code.DeadlineExceeded, `${what} ${state}${why} after ${timeoutMs} ms`, {
      cause: last?.error ?? error,
      peer: channel.target,
      reason: "deadline",
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
