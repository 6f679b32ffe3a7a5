// Streams that go on after the connection was lost: the call is made again. What is the same in both is the caller's to say.
import { setTimeout as sleep } from "node:timers/promises";
import { Code, RpcError } from "@guestwire/rpc";

/** How a stream goes on after its connection was lost. */
export interface ReconnectOptions {
  /** How long it is tried without success before the error is thrown, in milliseconds. 0: not at all. Default 60,000. */
  readonly giveUpMs?: number;
  /** The pause before the first attempt, in milliseconds; doubled for each further one. Default 100. */
  readonly firstDelayMs?: number;
  /** The longest pause, in milliseconds. Default 5,000. */
  readonly mostDelayMs?: number;
}

/** What following a job takes. */
export interface FollowOptions {
  /** Ends it; the error is `Canceled` with the signal's reason as cause. */
  readonly signal?: AbortSignal;
  /** What happens when the connection is lost or the server goes away. Default: it is tried again for a minute. */
  readonly reconnect?: ReconnectOptions;
}

/** The pauses between attempts. */
export class Patience {
  readonly #options: FollowOptions;
  #since: number | undefined;
  #delay = 0;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** Something went well. */
  restore(): void {
    this.#since = undefined;
  }

  /**
   * Waits before the next attempt.
   *
   * @throws the error itself when it is no use to try again, or it was tried for long enough.
   */
  async next(thrown: unknown): Promise<void> {
    const { signal, reconnect = {} } = this.#options;
    const { giveUpMs = 60_000, firstDelayMs = 100, mostDelayMs = 5000 } = reconnect;
    const error = RpcError.from(thrown);
    if (signal?.aborted || !isTransient(error)) throw error;
    const now = performance.now();
    if (this.#since === undefined) {
      this.#since = now;
      this.#delay = firstDelayMs;
    }
    if (now - this.#since >= giveUpMs) throw error;
    // Many clients of one server must not come back all at once.
    const pause = this.#delay * (0.8 + Math.random() * 0.4);
    this.#delay = Math.min(this.#delay * 2, mostDelayMs);
    try {
      await sleep(pause, undefined, signal === undefined ? {} : { signal });
    } catch {
      throw new RpcError(Code.Canceled, "the call was canceled", { cause: signal?.reason });
    }
  }
}

/**
 * A stream of messages that is asked for again when its connection was lost.
 *
 * @param open Makes the call.
 * @param again Called before the call is made again.
 */
export async function* reconnecting<T>(
  open: () => AsyncIterable<T>,
  again: () => void,
  options: FollowOptions,
): AsyncGenerator<T> {
  const patience = new Patience(options);
  for (;;) {
    try {
      for await (const item of open()) {
        patience.restore();
        yield item;
      }
      return;
    } catch (error) {
      await patience.next(error);
      again();
    }
  }
}

// How grpc-js tells of a connection that was closed in the middle of a call, as by a server that was killed.
const closedWithoutStatus = /RST_STREAM with code 0\b/;

/** Whether the same call may go well later: the server or the way to it was not there. */
function isTransient({ code, reason, rawMessage }: RpcError): boolean {
  if (code === Code.Internal) return closedWithoutStatus.test(rawMessage);
  return code === Code.Unavailable || reason === "connection_closed" || reason === "connect_failed";
}
