// Which connection a call gets: a free one, a new one, or its turn when all are busy. Knows no frame and no call's content.
import { Code, RpcError } from "@guestwire/rpc";
import type { CallEnd } from "@guestwire/rpc/transport";
import type { FrameConnection } from "./connection.js";
import type { Limits } from "./limits.js";

/** How a pool behaves. */
export interface PoolOptions {
  /** How many connections there may be at a time. */
  readonly most: number;
  /** Whether a connection that a call is done with may serve the next one. */
  readonly reuse: boolean;
  readonly limits: Limits;
  /** Opens a connection for a call, and gives up with it. */
  readonly dial: (end: CallEnd) => Promise<FrameConnection>;
}

interface Waiting {
  readonly end: CallEnd;
  readonly give: (connection: FrameConnection | Promise<FrameConnection>) => void;
}

interface Idle {
  readonly connection: FrameConnection;
  readonly timer: NodeJS.Timeout;
}

/** The connections of one kind of calls. Each is with one call, or idle. */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #idle: Idle[] = [];
  // In the order in which they came. A call leaves by getting a connection or by ending.
  readonly #waiting = new Set<Waiting>();
  readonly #open = new Set<FrameConnection>();
  // Idle ones, those with calls, and those that are dialed.
  #taken = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** How many calls wait for a connection. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many connections no call uses. */
  get idle(): number {
    return this.#idle.length;
  }

  /**
   * Gives a call a connection of its own, which must be given back with `release`. Who stops waiting is served no more.
   *
   * @throws {RpcError} Code.ResourceExhausted when too many wait; whatever dialing fails with; why the call ended.
   */
  async acquire(end: CallEnd): Promise<FrameConnection> {
    const connection = await this.#next(end);
    if (!end.settled) return connection;
    this.release(connection, true);
    throw end.error ?? new RpcError(Code.Canceled, "the call is over", { reason: "canceled" });
  }

  /** Takes a connection back. @param reusable Whether nothing of the last call can still come on it. */
  release(connection: FrameConnection, reusable: boolean): void {
    if (this.#closed || !this.#options.reuse || !reusable || !connection.open || connection.unread) {
      connection.destroy();
      this.#freed();
      return;
    }
    const [first] = this.#waiting;
    if (first !== undefined) {
      this.#waiting.delete(first);
      first.give(connection);
    } else this.#keep(connection);
  }

  /** Closes what is idle and what comes back. Settles when no connection is left. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { connection } of [...this.#idle]) connection.destroy();
    while (this.#open.size > 0) await Promise.all([...this.#open].map(({ gone }) => gone));
  }

  #next(end: CallEnd): FrameConnection | Promise<FrameConnection> {
    if (this.#waiting.size === 0) {
      const idle = this.#idle.at(-1);
      if (idle !== undefined) return this.#wake(idle);
      if (this.#taken < this.#options.most) return this.#dial(end);
    }
    if (this.#waiting.size >= this.#options.limits.waitingCalls) {
      const text = `${this.#waiting.size} calls are waiting for a connection already`;
      throw new RpcError(Code.ResourceExhausted, text, { reason: "overflow" });
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { end, give: resolve };
      this.#waiting.add(waiting);
      end.whenOver((error) => {
        if (this.#waiting.delete(waiting)) reject(error);
      });
    });
  }

  async #dial(end: CallEnd): Promise<FrameConnection> {
    this.#taken++;
    let connection: FrameConnection;
    try {
      connection = await this.#options.dial(end);
    } catch (error) {
      // Nobody is there: those that wait need not find that out one after the other.
      if (this.#open.size === 0 && error instanceof RpcError && error.reason === "connect_failed") this.#refuse(error);
      this.#freed();
      throw error;
    }
    this.#open.add(connection);
    void connection.gone.then(() => this.#open.delete(connection));
    return connection;
  }

  /** A connection that nobody uses must not be used again once it ended, or once something came on it unasked. */
  #keep(connection: FrameConnection): void {
    const drop = (): void => connection.destroy();
    const idle: Idle = { connection, timer: setTimeout(drop, this.#options.limits.idleMs) };
    // A program that has nothing else to do may end.
    idle.timer.unref();
    connection.holdProcess(false);
    connection.onUnread = drop;
    connection.onClosed = () => {
      this.#wake(idle);
      connection.destroy();
      this.#freed();
    };
    this.#idle.push(idle);
  }

  #wake(idle: Idle): FrameConnection {
    const { connection, timer } = idle;
    clearTimeout(timer);
    connection.holdProcess(true);
    connection.onUnread = undefined;
    connection.onClosed = undefined;
    this.#idle.splice(this.#idle.indexOf(idle), 1);
    return connection;
  }

  #refuse(error: RpcError): void {
    for (const { give } of [...this.#waiting]) give(Promise.reject(error));
    this.#waiting.clear();
  }

  /** There is room for one more: the next call that waits dials it. */
  #freed(): void {
    this.#taken--;
    const [first] = this.#waiting;
    if (first === undefined || this.#closed || this.#taken >= this.#options.most) return;
    this.#waiting.delete(first);
    first.give(this.#dial(first.end));
  }
}
