// The raw streams of one process: claimed by their ids, joined to its standard streams, closed with it. What travels in each
// is its end's affair.
import type { StreamServer } from "@guestwire/stdio/streams";
import { streamDrainMs } from "../limits.js";
import type { ExitStatus } from "../process/child.js";
import type { ProcessOutput } from "../process/process-output.js";
import { type InputSink, StreamEnd } from "./stream-end.js";

/** The ids of a process's standard streams; `undefined` where it has none. */
export interface StreamIdsOfProcess {
  readonly stdin: number | undefined;
  readonly stdout: number | undefined;
  readonly stderr: number | undefined;
}

/** The parts of a process that streams are joined to. */
export interface StreamedProcess {
  readonly stdin: InputSink;
  readonly stdout: ProcessOutput;
  /** `undefined` on a terminal, which does not tell errors apart. */
  readonly stderr: ProcessOutput | undefined;
  readonly exited: Promise<ExitStatus>;
}

/** The raw streams of one process. */
export class TaskStreams {
  /** Whether the process gets an input. */
  readonly hasInput: boolean;
  readonly #ids: StreamIdsOfProcess;
  readonly #ends: ReadonlyMap<number, StreamEnd>;
  readonly #drainMs: number;

  private constructor(ids: StreamIdsOfProcess, ends: ReadonlyMap<number, StreamEnd>, drainMs: number) {
    this.hasInput = ids.stdin !== undefined;
    this.#ids = ids;
    this.#ends = ends;
    this.#drainMs = drainMs;
  }

  /**
   * Claims streams. One id may stand for several of a process's streams.
   *
   * @param drainMs How long the host has for the last output once the process ended. Default 30 seconds.
   * @returns `undefined` where no stream is named.
   * @throws {RpcError} as `StreamServer.take`; what was claimed before is closed.
   */
  static async claim(
    server: StreamServer,
    ids: StreamIdsOfProcess,
    drainMs: number = streamDrainMs,
  ): Promise<TaskStreams | undefined> {
    const ends = new Map<number, StreamEnd>();
    try {
      for (const id of [ids.stdin, ids.stdout, ids.stderr]) {
        if (id !== undefined && !ends.has(id)) ends.set(id, new StreamEnd(await server.take(id)));
      }
    } catch (error) {
      for (const end of ends.values()) end.cut();
      throw error;
    }
    return ends.size === 0 ? undefined : new TaskStreams(ids, ends, drainMs);
  }

  /** Joins a process that was not started yet: nothing that it writes is missed. */
  join(process: StreamedProcess): void {
    const { stdin, stdout, stderr } = this.#ids;
    // First, so that an output that is over at once does not close a stream that has to bring input.
    if (stdin !== undefined) this.#ends.get(stdin)?.expectInput();
    if (stdout !== undefined) this.#ends.get(stdout)?.carryOutput(process.stdout);
    if (stderr !== undefined && process.stderr !== undefined) this.#ends.get(stderr)?.carryOutput(process.stderr);
    void process.exited.then(() => this.#exited());
  }

  /** The process exists and takes input. */
  flow(process: StreamedProcess): void {
    for (const end of this.#ends.values()) end.flow(process.stdin);
  }

  /** Resolves when all streams are closed, which they are when the process has ended and the host has taken its output. */
  get closed(): Promise<unknown> {
    return Promise.all([...this.#ends.values()].map((end) => end.closed));
  }

  /** Closes all streams now. */
  cut(): void {
    for (const end of this.#ends.values()) end.cut();
  }

  #exited(): void {
    for (const end of this.#ends.values()) end.release();
    const limit = setTimeout(() => this.cut(), this.#drainMs);
    void this.closed.then(() => clearTimeout(limit));
  }
}
