// What is typed into a terminal: bytes in order, never blocking. Knows no program.
import { writeSync } from "node:fs";
import { Code } from "@guestwire/rpc";
import { failure, isSystemError, wrongState } from "../../errors.js";
import { terminalInputBytes, terminalRetryMs } from "../limits.js";

// What canonical line discipline takes as the end of the input: Ctrl-D.
const endOfInput = 4;
const lineEnds = [0x0a, 0x0d, endOfInput];

interface Waiting {
  data: Uint8Array;
  readonly written: PromiseWithResolvers<number>;
  readonly size: number;
}

/** The typing end of a terminal. */
export class TerminalInput {
  readonly #subject: string;
  readonly #write: (fd: number, data: Uint8Array) => number;
  #terminal: { readonly fd: number } | undefined;
  #why = "the process was not started";
  #waiting: Waiting[] = [];
  #size = 0;
  #lastByte = 0x0a;
  #timer: NodeJS.Timeout | undefined;

  /** @param subject How errors name the process. @param write For tests. */
  constructor(subject: string, write: (fd: number, data: Uint8Array) => number = writeSync) {
    this.#subject = subject;
    this.#write = write;
  }

  /** Whether another write would be accepted without waiting for a program that does not read. */
  get hasRoom(): boolean {
    return this.#size < terminalInputBytes;
  }

  /** Takes the terminal, whose descriptor does not block and is asked for before every write; -1 means that it is gone. */
  open(terminal: { readonly fd: number }): void {
    this.#terminal = terminal;
  }

  /**
   * Writes; resolves when the terminal took everything.
   *
   * @throws {RpcError} Code.FailedPrecondition when the terminal is gone; Code.ResourceExhausted when too much waits.
   */
  write(data: Uint8Array): Promise<number> {
    if (this.#terminal === undefined) throw this.#isClosed();
    if (this.#size > 0 && this.#size + data.length > 8 * terminalInputBytes) {
      throw failure(Code.ResourceExhausted, `${this.#subject}: ${this.#size} bytes of input wait already`);
    }
    if (data.length === 0) return Promise.resolve(0);
    const written = Promise.withResolvers<number>();
    // Whoever does not wait learns of the end from the next write.
    written.promise.catch(() => {});
    this.#waiting.push({ data, written, size: data.length });
    this.#size += data.length;
    this.#lastByte = data[data.length - 1] as number;
    if (this.#timer === undefined) this.#flush();
    return written.promise;
  }

  /**
   * Types the end of the input, twice where a line is unfinished: the first one then only ends the line. Programs that read
   * keys get them as keys.
   */
  end(): void {
    if (this.#terminal === undefined) return;
    void this.write(Buffer.alloc(lineEnds.includes(this.#lastByte) ? 1 : 2, endOfInput));
  }

  /** Nothing can be written any more, and what waits is lost. */
  closed(why: string): void {
    if (this.#terminal === undefined) return;
    this.#terminal = undefined;
    this.#why = why;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#size = 0;
    for (const { written } of this.#waiting.splice(0)) written.reject(this.#isClosed());
  }

  #flush(): void {
    this.#timer = undefined;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const fd = this.#terminal?.fd ?? -1;
      if (fd < 0) return this.closed("the terminal is gone");
      let count = 0;
      try {
        // Synchronous, as a write that waits in a thread could reach another file under the same number later on.
        count = this.#write(fd, first.data);
      } catch (error) {
        if (!isSystemError(error, "EAGAIN")) return this.closed("the terminal is gone");
      }
      if (count === 0) {
        // Nothing tells when there is room again: the stream that reads watches the descriptor already.
        this.#timer = setTimeout(() => this.#flush(), terminalRetryMs);
        return;
      }
      this.#size -= count;
      first.data = first.data.subarray(count);
      if (first.data.length > 0) continue;
      this.#waiting.shift();
      first.written.resolve(first.size);
    }
  }

  #isClosed(): Error {
    return wrongState(this.#subject, this.#why);
  }
}
