// Waits until an agent answers, and until the container runtime behind it works: the times are those of ArcBox's host.
import {
  type AgentPingResponse,
  AgentService,
  type AgentServiceClient,
  type RuntimeEnsureResponse,
} from "@guestwire/agent";
import { type Channel, Code, RpcError } from "@guestwire/rpc";
import {
  arcboxDial,
  arcboxRuntimeDial,
  type Clock,
  type DialPolicy,
  type DialRetryOptions,
  isTransientDialError,
  retryDial,
} from "@guestwire/rpc/transport";

/** How {@link arcboxReady} waits. */
export interface ArcboxReadyOptions extends DialRetryOptions {
  /** When to ask and for how long. Default `arcboxDial`: every 100 ms, 5 s for an answer, 30 s in all. */
  readonly policy?: DialPolicy;
}

/**
 * Waits until an agent answers a ping. One that is not there, closes the connection or does not answer is asked again.
 *
 * @param channel A channel to the agent, of any wire. It stays open.
 * @param options See {@link ArcboxReadyOptions}. `timeoutMs` is 30,000 by default.
 * @returns The agent's answer, with its version.
 * @throws {RpcError} Code.DeadlineExceeded when the time is up, naming the last failure; Code.Canceled when the signal fires;
 * the code of a failure that does not pass, as Code.Internal where something else than an agent answers.
 *
 * @example
 * const { version } = await arcboxReady(channel, { signal });
 */
export function arcboxReady(channel: Channel, options: ArcboxReadyOptions = {}): Promise<AgentPingResponse> {
  const { policy = arcboxDial, ...rest } = options;
  const { ping } = AgentService.method;
  const task = {
    failed: `${channel.target} is not ready`,
    late: "no answer",
    policy,
    attempt: ({ attemptMs, signal }: { readonly attemptMs: number; readonly signal: AbortSignal }) =>
      channel.unary(ping, {}, { timeoutMs: attemptMs, signal }),
  };
  return retryDial(task, { isTransient, ...rest });
}

/** How {@link whenRuntimeReady} waits. */
export interface RuntimeReadyOptions {
  /** How long all may take, in milliseconds; 0 and Infinity: no limit. Default 60,000. */
  readonly timeoutMs?: number;
  /** Ends the waiting at once. Default none. */
  readonly signal?: AbortSignal;
  /** Whether to start a runtime that does not run. Default true; with `false` it is only waited for. */
  readonly startIfNeeded?: boolean;
  /** The pauses between questions. Default `arcboxRuntimeDial`: 120 ms to 1.2 s, growing by half. */
  readonly policy?: DialPolicy;
  /** The time. Default Node's own. */
  readonly clock?: Clock;
}

/**
 * Asks an agent for a container runtime until it works. Agents of 0.1.4 answer when it does, after up to 30 s; later ones
 * answer "starting" at once and must be asked again. Both are waited for in the same way.
 *
 * @param client A client of the agent; its calls are given the time that is left.
 * @param options See {@link RuntimeReadyOptions}.
 * @returns The answer in which `ready` is true.
 * @throws {RpcError} Code.FailedPrecondition when the agent says that the start failed, with the agent's message;
 * Code.DeadlineExceeded when the time is up; Code.Canceled when the signal fires; whatever the call fails with.
 *
 * @example
 * const { endpoint } = await whenRuntimeReady(createAgentServiceClient(channel));
 */
export function whenRuntimeReady(
  client: Pick<AgentServiceClient, "ensureRuntime">,
  options: RuntimeReadyOptions = {},
): Promise<RuntimeEnsureResponse> {
  const { policy = arcboxRuntimeDial, startIfNeeded = true, ...rest } = options;
  const attempt = async ({ signal }: { readonly signal: AbortSignal }): Promise<RuntimeEnsureResponse> => {
    // No time of its own, nor the channel's: a 0.1.4 agent answers late, and asking it again would only make another one wait.
    const answer = await client.ensureRuntime({ startIfNeeded }, { signal, timeoutMs: 0 });
    if (answer.ready) return answer;
    const text = answer.message === "" ? "" : `: ${answer.message}`;
    // A probe says "failed" of whatever does not run yet.
    if (answer.status === "failed" && startIfNeeded) {
      throw new RpcError(Code.FailedPrecondition, `the agent could not start it${text}`);
    }
    throw new NotYet(`the agent says "${answer.status}"${text}`);
  };
  const task = { failed: "the container runtime is not ready", late: "no answer", policy, attempt };
  return retryDial(task, { ...rest, isTransient: (error) => error instanceof NotYet });
}

/** An answer that is none yet. */
class NotYet extends Error {}

/** An answer that came too late may come in time, too. */
function isTransient(error: unknown): boolean {
  return (error instanceof RpcError && error.code === Code.DeadlineExceeded) || isTransientDialError(error);
}
