// What a session needs of the world: a way to move bytes, and time. Types only; sessions touch nothing else.
import type { Peer } from "@guestwire/rpc";
import type { Clock as Time, Timer } from "@guestwire/rpc/transport";

export type { Timer };

/**
 * Whose the memory of received bytes is: `shared` may be read for as long as one likes; `lent` until the call that brought it
 * returns; `own` is the receiver's alone, who may free it.
 */
export type ChunkMemory = "shared" | "lent" | "own";

/** A two-way byte stream under a session. Delivers to the handler given to `start`. */
export interface Link {
  /** The other end. */
  readonly peer: Peer;
  /** Bytes handed over and not yet taken by the system. */
  readonly queuedBytes: number;
  /** Begins to deliver. Called once. */
  start(handler: LinkHandler): void;
  /**
   * Sends bytes.
   *
   * @returns Whether the link has let go of the memory, so that it may be written to again.
   */
  write(bytes: Buffer): boolean;
  /** Sends several pieces in one go; keeps their memory until it is sent. */
  writeAll(pieces: readonly Uint8Array[]): void;
  /** Stops delivering data until `resume`, so that the peer is slowed down. */
  pause(): void;
  /** Delivers data again. */
  resume(): void;
  /** Closes after what was written is sent. Leads to `closed`. */
  end(): void;
  /** Closes at once. Leads to `closed`. */
  destroy(): void;
}

/** What a link tells its session. */
export interface LinkHandler {
  /** Bytes came. @param memory Whose their memory is. Default `shared`. */
  received(chunk: Buffer, memory?: ChunkMemory): void;
  /** Where the next bytes had best be put, so that they need not be copied; `undefined` where any memory will do. */
  readonly wanted?: Buffer | undefined;
  /** All that was written is sent. */
  drained(): void;
  /** No more bytes will come or go; called exactly once. `error` says why where it was not a regular end. */
  closed(error: Error | undefined): void;
}

/** Time, and turns of the event loop. */
export interface Clock extends Time {
  /** Runs `task` before the event loop goes on. */
  soon(task: () => void): void;
  /** Runs `task` after other work had its turn. */
  later(task: () => void): void;
}
