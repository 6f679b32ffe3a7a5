// A process as the task API sees it: a name, a state, an exit. The running itself is the supervised process's.
import { wrongState } from "../errors.js";
import { streamDrainMs } from "../limits.js";
import type { ExitStatus } from "../process/child.js";
import { GuestProcess, type ProcessHome, type ProcessSpec } from "../process/process.js";
import { TerminalProcess } from "../ross/terminal/terminal-process.js";
import type { TaskIo } from "./task-io.js";

/** Where a task's process is in its life. */
export type TaskState = "created" | "running" | "stopped";

/** The init process of a container, or one that was added to it. */
export class TaskProcess {
  /** Empty for the init process. */
  readonly execId: string;
  /** How errors name it, as `tasks/web` or `tasks/web/shell`. */
  readonly subject: string;
  readonly process: GuestProcess | TerminalProcess;
  readonly io: TaskIo;
  #state: TaskState = "created";
  #starting: Promise<void> | undefined;
  #exit: ExitStatus | undefined;
  readonly #done = Promise.withResolvers<ExitStatus>();

  constructor(execId: string, spec: ProcessSpec, io: TaskIo, home: ProcessHome) {
    this.execId = execId;
    this.subject = home.subject;
    this.io = io;
    const patient = io.streams === undefined ? home : { ...home, drainMs: streamDrainMs };
    this.process = io.names.terminal ? new TerminalProcess(spec, patient) : new GuestProcess(spec, patient);
    io.streams?.join(this.process);
    this.#done.promise.catch(() => {});
  }

  /** Starts the program. @throws the system's error when it cannot be started. */
  async run(): Promise<void> {
    await this.process.run(this.#takesInput);
    this.io.streams?.flow(this.process);
  }

  /** Makes the process, which waits before it becomes the program. @throws the system's error when it cannot be made. */
  async hold(): Promise<void> {
    await this.process.hold(this.#takesInput);
    this.io.streams?.flow(this.process);
  }

  /** Resolves when the process has ended, its output was passed on, and its raw streams have taken it. */
  get ended(): Promise<ExitStatus> {
    const { process, io } = this;
    return process.ended.then(async (exit) => {
      if (process instanceof TerminalProcess) process.hangUp();
      await io.streams?.closed;
      return exit;
    });
  }

  /** Who names streams means all of them: without a `stdin` there is nothing to read then. */
  get #takesInput(): boolean {
    return this.io.streams?.hasInput ?? true;
  }

  /** Ends the output now, without waiting for whoever reads it. */
  cutOutput(): void {
    this.process.cutOutput();
    this.io.streams?.cut();
  }

  get state(): TaskState {
    return this.#state;
  }

  /** How it ended; `undefined` before. */
  get exit(): ExitStatus | undefined {
    return this.#exit;
  }

  /** Resolves when the end has been announced; rejects when the process was deleted before it ran. */
  get done(): Promise<ExitStatus> {
    return this.#done.promise;
  }

  /** Settles when the start or the run that is under way is over; `undefined` when there is none. */
  get busy(): Promise<unknown> | undefined {
    return this.#starting ?? (this.#state === "running" ? this.#done.promise : undefined);
  }

  /**
   * Brings the process from created to running.
   *
   * @param start Does it. When it fails the process stays as it was.
   * @throws {RpcError} Code.FailedPrecondition when it was started before.
   */
  async start(start: () => Promise<void> | void): Promise<void> {
    if (this.#state !== "created" || this.#starting !== undefined) {
      throw wrongState(this.subject, `the process is ${this.#starting === undefined ? this.#state : "starting"}`);
    }
    const begin = async (): Promise<void> => {
      await start();
      this.#state = "running";
    };
    this.#starting = begin().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /** Records and announces the end. */
  finish(exit: ExitStatus, announce: () => void): void {
    this.#state = "stopped";
    this.#exit = exit;
    announce();
    this.#done.resolve(exit);
  }

  /** Gives up a process that never ran. */
  abandon(reason: Error): void {
    this.process.abandon(reason);
    this.io.streams?.cut();
    this.#done.reject(reason);
  }
}
