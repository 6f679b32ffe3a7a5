// The standard input of one process: bytes in order, and an end. Knows no service.
import { Socket } from "node:net";
import { Code } from "@guestwire/rpc";
import { failure, wrongState } from "../errors.js";
import { stdinBytes } from "../limits.js";

/** Where a process's input is written. */
export class ProcessInput {
  readonly #subject: string;
  #socket: Socket | undefined;
  #why = "the process was not started";

  /** @param subject How errors name the process, as `tasks/web`. */
  constructor(subject: string) {
    this.#subject = subject;
  }

  /** Takes over the writing end of the process's pipe; -1 means that the process has no input. */
  open(fd: number): void {
    if (fd < 0) {
      this.#why = "the process has no standard input";
      return;
    }
    const socket = new Socket({ fd, readable: false, writable: true });
    this.#socket = socket;
    // The process closed its end; writers are told through their callbacks.
    socket.on("error", () => this.closed("the process closed its standard input"));
  }

  /**
   * Writes, and resolves when the pipe took everything; a process that does not read makes the writer wait.
   *
   * @returns How many bytes were written: all.
   * @throws {RpcError} Code.FailedPrecondition when the input is closed; Code.ResourceExhausted when too much waits.
   */
  write(data: Uint8Array): Promise<number> {
    const socket = this.#require();
    if (data.length === 0) return Promise.resolve(0);
    if (socket.writableLength > 0 && socket.writableLength + data.length > stdinBytes) {
      throw failure(Code.ResourceExhausted, `${this.#subject}: ${socket.writableLength} bytes of input wait already`);
    }
    return new Promise((resolve, reject) => {
      socket.write(data, (error) => {
        if (error == null) return resolve(data.length);
        this.closed("the process closed its standard input");
        reject(this.#isClosed());
      });
    });
  }

  /**
   * Ends the input after what was written.
   *
   * @throws {RpcError} Code.FailedPrecondition when it is closed already.
   */
  close(): void {
    this.#require().end();
    this.#socket = undefined;
    this.#why = "standard input is closed";
  }

  /** As {@link ProcessInput.close}; does nothing when it is closed already. */
  end(): void {
    if (this.#socket !== undefined) this.close();
  }

  /** Nothing can be written any more, and what waits is lost. */
  closed(why: string): void {
    this.#why = this.#socket === undefined ? this.#why : why;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #require(): Socket {
    if (this.#socket === undefined) throw this.#isClosed();
    return this.#socket;
  }

  #isClosed(): Error {
    return wrongState(this.#subject, this.#why);
  }
}
