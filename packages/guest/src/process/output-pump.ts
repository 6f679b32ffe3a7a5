// Moves bytes from a process's pipe to its output, no faster than the output takes them. Knows no process.
import { Socket } from "node:net";
import { drainMs, quietMs } from "../limits.js";
import { ProcessOutput } from "./process-output.js";

/** The reading end of one pipe. */
export class OutputPump {
  /** Where the bytes go. */
  readonly output: ProcessOutput;
  readonly #ended = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #reads = 0;
  #quiet: NodeJS.Timeout | undefined;
  #limit: NodeJS.Timeout | undefined;

  constructor() {
    this.output = new ProcessOutput(() => {
      if (this.output.flowing) this.#socket?.resume();
    });
  }

  /** Begins to read a pipe. */
  open(fd: number): void {
    this.read(new Socket({ fd, readable: true, writable: false }));
  }

  /** Begins to read. An error is an end, as terminals end with one. */
  read(socket: Socket): void {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#reads++;
      this.output.push(data);
      if (!this.output.flowing && !this.output.ended) socket.pause();
    });
    socket.on("error", () => this.cut());
    socket.on("end", () => this.cut());
    socket.on("close", () => this.cut());
  }

  /**
   * The process has ended: ends the output once what is in the pipe was passed on, even if another process still holds
   * the pipe.
   *
   * @param limitMs How long slow readers have. Default ten seconds; Infinity for no limit.
   */
  finish(limitMs: number = drainMs): Promise<void> {
    if (this.#socket === undefined) this.cut();
    if (!this.output.ended) {
      if (limitMs !== Number.POSITIVE_INFINITY) this.#limit = setTimeout(() => this.cut(), limitMs);
      this.#watch();
    }
    return this.#ended.promise;
  }

  /** Ends the output now. What still comes is read and thrown away, so that whoever writes it does not stand still. */
  cut(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#limit);
    this.output.end();
    this.#socket?.resume();
    this.#socket?.unref();
    this.#ended.resolve();
  }

  #watch(): void {
    const before = this.#reads;
    this.#quiet = setTimeout(() => {
      // On a machine that stood still the timer comes before what lies in the pipe: let that be read first.
      setImmediate(() =>
        setImmediate(() => {
          if (this.output.ended) return;
          if (this.#reads === before && this.output.flowing) this.cut();
          else this.#watch();
        }),
      );
    }, quietMs);
  }
}
