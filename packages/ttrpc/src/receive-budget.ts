// Bounds on received messages that nobody has read yet. ttrpc has no flow control on the wire: the choice is to stop
// reading the socket, which stops every call of the connection, or to keep reading. The rules are in docs/wire.md.
import type { Deadlined, DeadlineWheel } from "./deadline-wheel.js";
import type { Limits } from "./limits.js";
import type { Clock } from "./link.js";
import type { MessageQueue } from "./message-queue.js";

// What a waiting message costs beside its bytes, so that a flood of empty ones counts as well.
const messageOverhead = 128;

/** What can be stopped: the reading of a connection. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/** Adds up what waits on one connection and decides what happens when it is too much. */
export class ReceiveBudget {
  readonly #input: Pausable;
  readonly #clock: Clock;
  readonly #wheel: DeadlineWheel;
  readonly #limits: Limits;
  readonly #calls: () => number;
  // The newest open stream. Linked through the streams themselves: a Set makes a new table each time its last entry leaves,
  // in old memory, where V8 then looks whether to collect all garbage; with 32 KiB messages that took 15 % of a client's CPU.
  #newest: StreamAccount | undefined;
  #full = 0;
  #bytes = 0;
  #paused = false;

  /** @param calls How many calls share the connection at the moment. */
  constructor(input: Pausable, clock: Clock, wheel: DeadlineWheel, limits: Limits, calls: () => number) {
    this.#input = input;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#limits = limits;
    this.#calls = calls;
  }

  /** What waits, in bytes with overhead. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps account of one stream. `overflow` is called at most once, when the stream must fail. */
  open(queue: MessageQueue<unknown>, overflow: () => void): StreamAccount {
    const account = new StreamAccount(this, queue, overflow);
    account.older = this.#newest;
    if (this.#newest !== undefined) this.#newest.newer = account;
    this.#newest = account;
    return account;
  }

  /** To be called when a call begins: it must not wait behind a stream that was alone so far. */
  callBegan(): void {
    if (this.#paused) this.#resume();
  }

  /** @internal A message waits in the stream's queue. */
  added(account: StreamAccount, bytes: number): void {
    this.#bytes += bytes + messageOverhead;
    const { queue } = account;
    if (!account.full && (queue.size >= this.#limits.streamMessages || queue.bytes >= this.#limits.streamBytes)) {
      account.full = true;
      this.#full++;
      this.#watch(account);
    }
    if (account.full && this.#calls() <= 1) this.#pause();
    else if (this.#bytes > this.#limits.receiveBytes) this.#fullest()?.fail();
  }

  /** @internal Messages left the stream's queue. */
  removed(account: StreamAccount, messages: number, bytes: number): void {
    this.#bytes -= bytes + messages * messageOverhead;
    const { queue } = account;
    if (!account.full) return;
    // Half empty before more is read, so that the socket is not stopped and started for every message.
    if (queue.size * 2 > this.#limits.streamMessages || queue.bytes * 2 > this.#limits.streamBytes) return;
    this.#release(account);
  }

  /** @internal What waits in the stream counts no more. */
  forgotten(messages: number, bytes: number): void {
    this.#bytes -= bytes + messages * messageOverhead;
  }

  /** @internal The stream is over. */
  closed(account: StreamAccount): void {
    const { older, newer } = account;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (older !== undefined) older.newer = newer;
    account.older = undefined;
    account.newer = undefined;
    if (account.full) this.#release(account);
  }

  /** @internal The stream was full for a while. */
  stalled(account: StreamAccount): void {
    if (account.queue.reads === account.readsSeen && this.#calls() > 1) return account.fail();
    // Alone on the connection it may take its time. The socket is read a little, to see whether another call came; but
    // not for ever, as each look brings more of the stream.
    if (this.#paused && this.#bytes < this.#limits.receiveBytes) this.#resume();
    this.#watch(account);
  }

  #watch(account: StreamAccount): void {
    account.readsSeen = account.queue.reads;
    account.deadlineAt = this.#clock.now() + this.#limits.stallMs;
    this.#wheel.add(account);
  }

  #release(account: StreamAccount): void {
    account.full = false;
    this.#full--;
    this.#wheel.remove(account);
    if (this.#paused && this.#full === 0) this.#resume();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#input.pause();
  }

  #resume(): void {
    this.#paused = false;
    this.#input.resume();
  }

  #fullest(): StreamAccount | undefined {
    let fullest: StreamAccount | undefined;
    // Of those that are equally full the oldest.
    for (let account = this.#newest; account !== undefined; account = account.older) {
      if (fullest === undefined || account.queue.bytes >= fullest.queue.bytes) fullest = account;
    }
    return fullest;
  }
}

/** One stream's part of a {@link ReceiveBudget}. */
export class StreamAccount implements Deadlined {
  readonly queue: MessageQueue<unknown>;
  /** @internal The next one in the budget's list. */
  older: StreamAccount | undefined = undefined;
  /** @internal */
  newer: StreamAccount | undefined = undefined;
  full = false;
  readsSeen = 0;
  deadlineAt = 0;
  wheelNext: Deadlined | undefined = undefined;
  wheelPrevious: Deadlined | undefined = undefined;
  wheelSlot = -1;
  readonly #budget: ReceiveBudget;
  readonly #overflow: () => void;
  #waiting = 0;
  #closed = false;
  #forgotten = false;

  constructor(budget: ReceiveBudget, queue: MessageQueue<unknown>, overflow: () => void) {
    this.#budget = budget;
    this.queue = queue;
    this.#overflow = overflow;
  }

  /** A message of this size waits. */
  added(bytes: number): void {
    this.#waiting++;
    this.#budget.added(this, bytes);
  }

  /** The queue gave away some or all of what waited. */
  consumed(bytes: number): void {
    if (this.#forgotten) return;
    const gone = this.#waiting - this.queue.size;
    this.#waiting = this.queue.size;
    this.#budget.removed(this, gone, bytes);
  }

  /** The stream gets no more messages; what waits is still counted until it is read. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budget.closed(this);
  }

  /**
   * As `close`, and what waits counts no more: nothing can be added, and a reader who never comes, as no one can tell, must
   * not use up the connection's bound for all others.
   */
  forget(): void {
    this.close();
    if (this.#forgotten) return;
    this.#forgotten = true;
    this.#budget.forgotten(this.#waiting, this.queue.bytes);
  }

  /** @internal */
  fail(): void {
    if (this.#closed) return;
    this.close();
    this.#overflow();
  }

  deadlinePassed(): void {
    this.#budget.stalled(this);
  }
}
