// One supervised child process: started, fed, read, signaled and awaited. Its own session, so that its whole group can
// be signaled. Knows no container and no service.
import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { GuestClock } from "../clock.js";
import { drainMs } from "../limits.js";
import { type ExitStatus, exitStatus, signalGroup, started } from "./child.js";
import { stdioOf } from "./inherited.js";
import { OutputPump } from "./output-pump.js";
import { closeAll, openPipes } from "./pipes.js";
import { ProcessInput } from "./process-input.js";
import type { ProcessOutput } from "./process-output.js";
import type { RunAs } from "./run-as.js";
import { scopeVariable } from "./scope.js";

/** What to run. */
export interface ProcessSpec {
  /** Program and arguments; not empty. */
  readonly args: readonly string[];
  /** The whole environment, to which only the scope's variable is added. */
  readonly env: Readonly<Record<string, string>>;
  /** An existing directory. */
  readonly cwd: string;
  /** Default: the guest's own user. */
  readonly runAs?: RunAs | undefined;
  /** Whether stderr goes the way of stdout, so that the order of what is written to both is kept. Default false. */
  readonly mergeOutput?: boolean;
}

/** How a process lives in its guest. */
export interface ProcessHome {
  /** How errors name the process, as `tasks/web`. */
  readonly subject: string;
  /** The scope that the process and all of its descendants belong to. */
  readonly scope: string;
  readonly clock: GuestClock;
  /** How long the last output may wait for slow readers, in milliseconds. Default: {@link drainMs}, as stdio's contract says. */
  readonly drainMs?: number;
}

// Waits for a line, then becomes the program. `env -i` sets exactly the environment wanted, which a shell would change.
const gateScript = 'read -r go <&3 || exit 125; exec 3<&- env -i "$@"';

/** A process of the guest. */
export class GuestProcess {
  readonly spec: ProcessSpec;
  readonly stdin: ProcessInput;
  readonly #home: ProcessHome;
  readonly #stdout = new OutputPump();
  readonly #stderr = new OutputPump();
  readonly #exited = Promise.withResolvers<ExitStatus>();
  readonly #ended = Promise.withResolvers<ExitStatus>();
  #child: ChildProcess | undefined;
  #gate: Writable | undefined;
  #exit: ExitStatus | undefined;

  constructor(spec: ProcessSpec, home: ProcessHome) {
    this.spec = spec;
    this.#home = home;
    this.stdin = new ProcessInput(home.subject);
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

  get stdout(): ProcessOutput {
    return this.#stdout.output;
  }

  get stderr(): ProcessOutput {
    return this.#stderr.output;
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
   * Starts the program.
   *
   * @param stdin Whether the process gets an input that can be written. Default true.
   * @throws the system's error when it cannot be started; it may be tried again.
   */
  async run(stdin = true): Promise<void> {
    const { args, env } = this.spec;
    await this.#spawn([...args], { ...env, [scopeVariable]: this.#home.scope }, stdin);
  }

  /**
   * Makes the process, which waits for {@link GuestProcess.release} before it becomes the program.
   *
   * @param stdin As of {@link GuestProcess.run}.
   */
  async hold(stdin = true): Promise<void> {
    const { args, env } = this.spec;
    const variables = Object.entries({ ...env, [scopeVariable]: this.#home.scope }).map((pair) => pair.join("="));
    const gate = ["/bin/sh", "-c", gateScript, "sh", ...variables, ...args];
    await this.#spawn(gate, { [scopeVariable]: this.#home.scope }, stdin, true);
  }

  /** Lets a held process become its program. */
  release(): void {
    this.#gate?.end("go\n");
    this.#gate = undefined;
  }

  /**
   * Signals the process and its group.
   *
   * @param signal Number of the signal; 0 only checks.
   * @returns Whether there was anything to signal.
   */
  signal(signal: number): boolean {
    return this.#exit === undefined && signalGroup(this.pid, signal);
  }

  /** Stops waiting for readers of the output. */
  cutOutput(): void {
    this.#stdout.cut();
    this.#stderr.cut();
  }

  /** Gives up a process that never ran: whoever waits for it gets this error, readers of its output get the end. */
  abandon(reason: Error): void {
    if (this.pid !== 0) return;
    this.cutOutput();
    this.stdin.closed("the process was given up");
    this.#ended.reject(reason);
  }

  async #spawn(args: string[], env: NodeJS.ProcessEnv, stdin: boolean, gated = false): Promise<void> {
    const { cwd, runAs, mergeOutput = false } = this.spec;
    const pipes = await openPipes(stdin, runAs);
    let child: ChildProcess;
    try {
      const [program, ...rest] = args as [string, ...string[]];
      const [input, output, errors] = pipes.child;
      const ends = [input, output, mergeOutput ? output : errors];
      const stdio = stdioOf([...ends, ...(gated ? (["pipe"] as const) : [])]);
      child = spawn(program, rest, { cwd, env, detached: true, stdio, ...runAs });
      await started(child);
    } catch (error) {
      closeAll(pipes.ours);
      throw error;
    } finally {
      closeAll(pipes.child);
    }
    this.#child = child;
    this.#gate = child.stdio[3] as Writable | undefined;
    this.#gate?.on("error", () => {});
    child.once("exit", (code, signal) => this.#onExit(code, signal));
    const [input, output, errors] = pipes.ours;
    this.stdin.open(input);
    this.#stdout.open(output);
    this.#stderr.open(errors);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const exit = exitStatus(code, signal, this.#home.clock.now());
    this.#exit = exit;
    this.#gate?.destroy();
    this.stdin.closed("the process has ended");
    this.#exited.resolve(exit);
    const { drainMs: limit = drainMs } = this.#home;
    void Promise.all([this.#stdout.finish(limit), this.#stderr.finish(limit)]).then(() => this.#ended.resolve(exit));
  }
}
