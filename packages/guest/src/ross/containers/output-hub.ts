// The output of one process for all who want it: the container's log, and any number of followers. Knows no process and
// no service.
import { Code } from "@guestwire/rpc";
import { failure } from "../../errors.js";
import { Mailbox } from "../../mailbox.js";
import type { ProcessOutput } from "../../process/process-output.js";
import { followerPieces } from "../limits.js";
import type { StreamName } from "./log-entry.js";

/** A piece of output. */
export interface Piece {
  readonly stream: StreamName;
  /** At most 32 KiB. */
  readonly data: Uint8Array;
}

/** Somebody who takes all output at its own pace. */
export interface OutputSink {
  readonly hasRoom: boolean;
  /** Sets what is called when there is room again. */
  onRoom(call: () => void): void;
  append(stream: StreamName, data: Uint8Array): void;
  end(): void;
}

/** Whom a follower is. */
export interface FollowOptions {
  /** The streams wanted. Default all. */
  readonly streams?: readonly StreamName[];
  /**
   * Whether the process waits when the follower is behind, as on a pipe; otherwise a follower that is 64 pieces behind is
   * ended with an error, as one reader's slowness is not the others'.
   */
  readonly stalls: boolean;
  readonly signal?: AbortSignal;
}

interface Follower {
  readonly mailbox: Mailbox<Piece>;
  readonly streams: readonly StreamName[] | undefined;
  readonly stalls: boolean;
}

/** Passes output on. */
export class OutputHub {
  readonly #outputs: readonly ProcessOutput[];
  readonly #sink: OutputSink | undefined;
  readonly #followers = new Set<Follower>();
  readonly #done = Promise.withResolvers<void>();
  #open: number;

  /** @param outputs Followed from now on, so that nothing is lost before the first follower but what the sink keeps. */
  constructor(outputs: Partial<Record<StreamName, ProcessOutput | undefined>>, sink?: OutputSink) {
    const present = Object.entries(outputs).filter(([, output]) => output !== undefined) as [
      StreamName,
      ProcessOutput,
    ][];
    this.#outputs = present.map(([, output]) => output);
    this.#open = present.length;
    this.#sink = sink;
    sink?.onRoom(() => this.#roomMade());
    for (const [stream, output] of present) {
      output.subscribe({
        hasRoom: () => this.#hasRoom(),
        chunk: (data) => this.#pass({ stream, data }),
        end: () => this.#ended(),
      });
    }
  }

  /** Whether nothing more comes. */
  get ended(): boolean {
    return this.#open === 0;
  }

  /** Resolves when nothing more comes. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Follows the output from now on, until its end. */
  follow({ streams, stalls, signal }: FollowOptions): Mailbox<Piece> {
    // The signal may have fired already: then the mailbox is left before there is a follower.
    let follower: Follower | undefined;
    const mailbox: Mailbox<Piece> = new Mailbox<Piece>(
      {
        taken: () => {
          if (stalls && mailbox.size === followerPieces - 1) this.#roomMade();
        },
        left: () => {
          if (follower !== undefined && this.#followers.delete(follower) && stalls) this.#roomMade();
        },
      },
      signal,
    );
    if (this.#open === 0) mailbox.end();
    else if (signal?.aborted !== true) {
      follower = { mailbox, streams, stalls };
      this.#followers.add(follower);
    }
    return mailbox;
  }

  #hasRoom(): boolean {
    if (this.#sink?.hasRoom === false) return false;
    for (const { stalls, mailbox } of this.#followers) if (stalls && mailbox.size >= followerPieces) return false;
    return true;
  }

  #pass(piece: Piece): void {
    this.#sink?.append(piece.stream, piece.data);
    for (const follower of [...this.#followers]) {
      const { mailbox, streams, stalls } = follower;
      if (streams?.includes(piece.stream) === false) continue;
      if (stalls || mailbox.size < followerPieces) mailbox.put(piece);
      else {
        this.#followers.delete(follower);
        mailbox.fail(failure(Code.ResourceExhausted, "the output comes faster than it is read"));
      }
    }
  }

  #roomMade(): void {
    for (const output of this.#outputs) output.roomMade();
  }

  #ended(): void {
    if (--this.#open > 0) return;
    this.#sink?.end();
    for (const { mailbox } of [...this.#followers]) mailbox.end();
    this.#followers.clear();
    this.#done.resolve();
  }
}
