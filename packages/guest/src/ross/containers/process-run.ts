// One run of a program, on pipes or on a terminal: started once, followed by any number of readers. Knows no container.
import type { ExitStatus } from "../../process/child.js";
import type { ProcessHome, ProcessSpec } from "../../process/process.js";
import { GuestProcess } from "../../process/process.js";
import { TerminalProcess, type TerminalSize } from "../terminal/terminal-process.js";
import { OutputHub, type OutputSink } from "./output-hub.js";

/** What to run, and how. */
export interface RunOptions {
  readonly spec: ProcessSpec;
  readonly home: ProcessHome;
  /** Whether it gets a terminal. */
  readonly tty: boolean;
  /** Whether it gets an input that can be written; a terminal always is one. */
  readonly stdin: boolean;
  /** Size of the terminal to begin with. Default 80 columns, 24 rows. */
  readonly size?: TerminalSize | undefined;
  /** Takes all output, beside the followers. */
  readonly sink?: OutputSink | undefined;
}

/** A program that runs, will run or has run. */
export class ProcessRun {
  readonly tty: boolean;
  readonly hub: OutputHub;
  readonly process: GuestProcess | TerminalProcess;
  readonly #stdin: boolean;

  constructor({ spec, home, tty, stdin, size, sink }: RunOptions) {
    // Readers who are slow get everything nevertheless: a process that has ended costs nothing.
    const patient = { ...home, drainMs: Number.POSITIVE_INFINITY };
    this.tty = tty;
    this.#stdin = stdin || tty;
    if (tty) {
      const terminal = new TerminalProcess(spec, patient);
      if (size !== undefined) terminal.resize(size);
      this.process = terminal;
    } else {
      this.process = new GuestProcess(spec, patient);
    }
    const { stdout, stderr } = this.process;
    this.hub = new OutputHub({ stdout, stderr }, sink);
  }

  /** Whether input can be written. */
  get takesInput(): boolean {
    return this.#stdin;
  }

  /** How it ended. */
  get exit(): ExitStatus | undefined {
    return this.process.exit;
  }

  /** Starts the program. @throws what the system says when it cannot be started. */
  async start(): Promise<void> {
    try {
      await this.process.run(this.#stdin);
    } catch (error) {
      this.process.cutOutput();
      throw error;
    }
  }

  /**
   * Writes input. Resolves when more is welcome: at once for a terminal that has room, otherwise when the program took it.
   * What comes after the program closed its input is dropped, as its end is told by its exit.
   */
  async write(data: Uint8Array): Promise<void> {
    try {
      const written = this.process.stdin.write(data);
      if (this.process instanceof TerminalProcess && this.process.stdin.hasRoom) return;
      await written;
    } catch {
      // The program does not read any more.
    }
  }

  /** Ends the input: closes the pipe, or types Ctrl-D. */
  endInput(): void {
    this.process.stdin.end();
  }

  /** Sets the size of the terminal; does nothing without one. */
  resize(size: TerminalSize): void {
    if (this.process instanceof TerminalProcess) this.process.resize(size);
  }

  /** Ends the output now, without waiting for its readers. */
  cutOutput(): void {
    this.process.cutOutput();
  }

  /** For after the end: takes the terminal away from whoever still uses it. */
  hangUp(): void {
    if (this.process instanceof TerminalProcess) this.process.hangUp();
  }
}
