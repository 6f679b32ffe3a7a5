// One supervised process on a terminal of its own: the same life as a process on pipes, with one output and a size. Knows
// no container.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fchownSync } from "node:fs";
import type { Writable } from "node:stream";
import { drainMs } from "../../limits.js";
import { type ExitStatus, exitStatus, signalGroup, started } from "../../process/child.js";
import { stdioOf } from "../../process/inherited.js";
import { OutputPump } from "../../process/output-pump.js";
import type { ProcessHome, ProcessSpec } from "../../process/process.js";
import type { ProcessOutput } from "../../process/process-output.js";
import { scopeVariable } from "../../process/scope.js";
import { openPty, type Pty } from "./pty-binding.js";
import { TerminalInput } from "./terminal-input.js";

/** The size of a terminal in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What terminals begin with. */
export const defaultSize: TerminalSize = { columns: 80, rows: 24 };

// The kernel's limit: two bytes each.
const longest = 0xffff;

// A session leader gets the first terminal that it opens. `env -i` sets exactly the environment wanted.
const script = 'tty=$1; shift; exec <>"$tty" >&0 2>&0 env -i "$@"';
// The same, behind a line that has to come first.
const gateScript = `read -r go <&3 || exit 125; exec 3<&-; ${script}`;

/** A process on a terminal. */
export class TerminalProcess {
  readonly spec: ProcessSpec;
  readonly stdin: TerminalInput;
  readonly #home: ProcessHome;
  readonly #pump = new OutputPump();
  readonly #exited = Promise.withResolvers<ExitStatus>();
  readonly #ended = Promise.withResolvers<ExitStatus>();
  #child: ChildProcess | undefined;
  #pty: Pty | undefined;
  #gate: Writable | undefined;
  #size: TerminalSize = defaultSize;
  #exit: ExitStatus | undefined;

  constructor(spec: ProcessSpec, home: ProcessHome) {
    this.spec = spec;
    this.#home = home;
    this.stdin = new TerminalInput(home.subject);
    // Whether anybody waits is up to the callers.
    this.#ended.promise.catch(() => {});
  }

  /** Process id; 0 before there is a process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Whether the process has ended; its output may still be on the way. */
  get exit(): ExitStatus | undefined {
    return this.#exit;
  }

  /** Everything that appears on the terminal. */
  get stdout(): ProcessOutput {
    return this.#pump.output;
  }

  /** A terminal does not tell errors apart. */
  get stderr(): undefined {
    return undefined;
  }

  /** Resolves as soon as the process has ended. */
  get exited(): Promise<ExitStatus> {
    return this.#exited.promise;
  }

  /** Resolves when the process has ended and its output was passed on; rejects when it was given up before it ran. */
  get ended(): Promise<ExitStatus> {
    return this.#ended.promise;
  }

  /**
   * Starts the program as the leader of a session of its own, with the terminal as its controlling one.
   *
   * @throws {RpcError} as {@link openPty}; the system's error when it cannot be started.
   */
  run(): Promise<void> {
    return this.#spawn(script);
  }

  /** Makes the process, which waits for {@link TerminalProcess.release} before it becomes the program. @throws as `run`. */
  hold(): Promise<void> {
    return this.#spawn(gateScript, true);
  }

  /** Lets a held process become its program. */
  release(): void {
    this.#gate?.end("go\n");
    this.#gate = undefined;
  }

  /** Gives up a process that never ran: whoever waits for it gets this error, readers of its output get the end. */
  abandon(reason: Error): void {
    if (this.pid !== 0) return;
    this.cutOutput();
    this.#ended.reject(reason);
  }

  async #spawn(program: string, gated = false): Promise<void> {
    const { args, env, cwd, runAs } = this.spec;
    const pty = openPty(this.#size.columns, this.#size.rows);
    const { programEnd, output } = pty;
    let child: ChildProcess;
    try {
      if (runAs !== undefined) fchownSync(programEnd, runAs.uid, runAs.gid);
      const variables = Object.entries({ ...env, [scopeVariable]: this.#home.scope }).map((pair) => pair.join("="));
      child = spawn("/bin/sh", ["-c", program, "sh", pty.path, ...variables, ...args], {
        cwd,
        env: { [scopeVariable]: this.#home.scope },
        detached: true,
        stdio: stdioOf([programEnd, programEnd, programEnd, ...(gated ? (["pipe"] as const) : [])]),
        ...runAs,
      });
      await started(child);
    } catch (error) {
      output.destroy();
      throw error;
    } finally {
      closeSync(programEnd);
    }
    this.#child = child;
    this.#pty = pty;
    this.#gate = child.stdio[3] as Writable | undefined;
    this.#gate?.on("error", () => {});
    child.once("exit", (code, signal) => this.#onExit(code, signal));
    output.once("close", () => this.stdin.closed("the terminal is gone"));
    this.stdin.open(pty);
    this.#pump.read(output);
  }

  /** Sets the size; before the start, the size to begin with. Parts that are 0 stay as they are. */
  resize({ columns, rows }: TerminalSize): void {
    const part = (wanted: number, present: number): number => (wanted > 0 ? Math.min(wanted, longest) : present);
    this.#size = { columns: part(columns, this.#size.columns), rows: part(rows, this.#size.rows) };
    this.#pty?.resize(this.#size.columns, this.#size.rows);
  }

  /** Signals the process and its group. @returns Whether there was anything to signal. */
  signal(signal: number): boolean {
    return this.#exit === undefined && signalGroup(this.pid, signal);
  }

  /** Stops waiting for readers of the output. */
  cutOutput(): void {
    this.#pump.cut();
  }

  /** Takes the terminal away from whoever still uses it: they get SIGHUP. For after the end. */
  hangUp(): void {
    this.#pty?.output.destroy();
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const exit = exitStatus(code, signal, this.#home.clock.now());
    this.#exit = exit;
    this.#gate?.destroy();
    this.stdin.closed("the process has ended");
    this.#exited.resolve(exit);
    void this.#pump.finish(this.#home.drainMs ?? drainMs).then(() => this.#ended.resolve(exit));
  }
}
