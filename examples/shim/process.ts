// One process of a container, init or exec: from its creation to its end. Knows runc by one command.
import { Code, RpcError } from "@guestwire/rpc";
import type { Runc, RuncProcess } from "./runc.js";
import { openStreams, type StreamPaths, type Streams } from "./streams.js";
import { openTerminal } from "./terminal.js";

/** How a process ended. */
export interface Exit {
  readonly code: number;
  readonly at: Date;
}

/** What a process is made of. */
export interface ShimProcessOptions {
  readonly container: string;
  /** Empty for init. */
  readonly execId: string;
  readonly paths: StreamPaths;
  readonly terminal: boolean;
  /** runc's command and flags that run it. */
  readonly command: readonly [command: string, ...options: string[]];
}

/** A process. */
export class ShimProcess {
  readonly container: string;
  readonly execId: string;
  readonly paths: StreamPaths;
  readonly terminal: boolean;
  pid = 0;
  exit: Exit | undefined;
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  readonly #command: ShimProcessOptions["command"];
  #streams: Streams | undefined;
  #starting = false;
  #ended: (exit: Exit) => void = () => undefined;

  constructor({ container, execId, paths, terminal, command }: ShimProcessOptions) {
    this.container = container;
    this.execId = execId;
    this.paths = paths;
    this.terminal = terminal;
    this.#command = command;
    this.exited = new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /**
   * Runs it.
   *
   * @param started Called when it runs, before anybody can learn of its end.
   * @throws {RpcError} Code.FailedPrecondition when it was started before; Code.Unknown with runc's text.
   */
  async start(runc: Runc, started: (pid: number) => void): Promise<number> {
    if (this.#starting) throw new RpcError(Code.FailedPrecondition, `${this.name} was started before`);
    this.#starting = true;
    const streams = this.terminal ? openTerminal(this.paths) : openStreams(this.paths);
    this.#streams = streams;
    const [command, ...options] = this.#command;
    let running: RuncProcess;
    try {
      running = await runc.start(command, options, this.container, streams);
    } catch (error) {
      this.#end(255);
      throw error;
    }
    this.pid = running.pid;
    streams.started();
    started(running.pid);
    void running.exited.then((code) => this.#end(code));
    return running.pid;
  }

  /** What errors call it. */
  get name(): string {
    return this.execId === "" ? `container ${this.container}` : `process ${this.execId}`;
  }

  get running(): boolean {
    return this.pid !== 0 && this.exit === undefined;
  }

  resize(width: number, height: number): void {
    this.#streams?.resize(width, height);
  }

  closeInput(): void {
    this.#streams?.closeInput();
  }

  #end(code: number): void {
    this.#streams?.close();
    this.exit = { code, at: new Date() };
    this.#ended(this.exit);
  }
}
