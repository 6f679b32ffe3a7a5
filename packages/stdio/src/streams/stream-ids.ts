// The numbers that raw streams go by: how they are given out and how they are written. Opens nothing.
import { Code, RpcError } from "@guestwire/rpc";

/** The largest id: four bytes. */
export const lastId: number = 0xffff_ffff;

/** Gives out ids, each once per round of 2³² - 1. */
export interface StreamIds {
  /** The next id, from 1 to 4,294,967,295; 0 is never one. */
  next(): number;
}

/**
 * Makes a source of ids. Whoever opens streams of one guest must share one, as a guest refuses an id that is in use.
 *
 * @param first The id to begin with. Default 1.
 * @throws {RpcError} Code.InvalidArgument for a number that is no id.
 */
export function createStreamIds(first: number = 1): StreamIds {
  checkId(first);
  let following = first;
  return {
    next() {
      const id = following;
      following = id === lastId ? 1 : id + 1;
      return id;
    },
  };
}

/** How a stream is named in `stdin`, `stdout` and `stderr` of Task.Create and Task.Exec: `stream://7`. */
export function streamUrl(id: number): string {
  return `stream://${id}`;
}

/** @throws {RpcError} Code.InvalidArgument for a number that is no id. */
export function checkId(id: number): void {
  if (Number.isInteger(id) && id >= 1 && id <= lastId) return;
  throw new RpcError(Code.InvalidArgument, `${String(id)} is no stream id: it must be a number from 1 to ${lastId}`);
}
