// One container: a record that lasts, and a run while it runs. Changes of state happen one after the other; ends happen
// when they happen.
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import { failure, missing, textOf, wrongState } from "../../errors.js";
import { buryTree } from "../../files/remove-tree.js";
import type { ExitStatus } from "../../process/child.js";
import { freezeScope, killScope, newScope, signalScope } from "../../process/scope.js";
import { settledWithin } from "../../wait.js";
import { ContainerLog } from "./container-log.js";
import { type ContainerPaths, writeContainerRecord } from "./container-paths.js";
import type { ContainerRecord } from "./container-record.js";
import type { ContainerPlace, ContainerRun, ContainerStateName, StartOptions } from "./container-types.js";
import { ExecTable } from "./exec-table.js";
import { LogSink } from "./log-sink.js";
import { ProcessRun } from "./process-run.js";
import { prepareProcess, startError } from "./process-spec.js";
import { RestartTimer } from "./restart-timer.js";

/** A container of this guest. */
export class RossContainer {
  readonly paths: ContainerPaths;
  readonly execs: ExecTable;
  readonly #place: ContainerPlace;
  readonly #restarts: RestartTimer;
  #record: ContainerRecord;
  #current: ContainerRun | undefined;
  #lastRun: ProcessRun | undefined;
  #paused = false;
  #stopAsked = false;
  #removed = false;
  #log: Promise<ContainerLog> | undefined;
  // Fires when the guest that ends has waited for long enough.
  readonly #impatience = new AbortController();
  // The ends of the last change of state and of the last write of the record.
  #turn: Promise<unknown> = Promise.resolve();
  #saving: Promise<unknown> = Promise.resolve();

  constructor(record: ContainerRecord, paths: ContainerPaths, place: ContainerPlace) {
    this.#record = record;
    this.paths = paths;
    this.#place = place;
    this.execs = new ExecTable(this);
    this.#restarts = new RestartTimer(record.restart, () => void this.#log?.then((log) => log.wake()));
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  get id(): string {
    return this.#record.id;
  }

  get clock(): GuestClock {
    return this.#place.clock;
  }

  /** How errors name it. */
  get subject(): string {
    return `containers/${this.#record.name}`;
  }

  get state(): ContainerStateName {
    if (this.#current !== undefined) return this.#paused ? "paused" : "running";
    return this.#record.startedAt === 0 ? "created" : "stopped";
  }

  /** Process id; 0 where nothing runs. */
  get pid(): number {
    return this.#current?.run.process.pid ?? 0;
  }

  /** Ids of the processes that lead the sessions of its processes. */
  get leaders(): number[] {
    return this.#current === undefined ? [] : [this.pid, ...this.execs.leaders];
  }

  /** Whether its restart policy is about to start it again. */
  get restarting(): boolean {
    return this.#restarts.pending;
  }

  /** Whether there may be more output. */
  get live(): boolean {
    if (this.#removed || this.#place.closed()) return this.#lastRun?.hub.ended === false;
    return this.state !== "stopped" || this.restarting || this.#lastRun?.hub.ended === false;
  }

  /** The run. @throws {RpcError} Code.FailedPrecondition when it does not run. */
  get current(): ContainerRun {
    if (this.#current === undefined || this.#current.run.exit !== undefined) {
      throw wrongState(
        this.subject,
        `the container is ${this.#current === undefined ? this.state : "ending"}, not running`,
      );
    }
    return this.#current;
  }

  /** The run, or none. */
  get currentOrNone(): ContainerRun | undefined {
    return this.#current;
  }

  /** @throws {RpcError} Code.FailedPrecondition when it does not run, or is paused. */
  requireRunning(): void {
    if (this.current !== undefined && this.#paused) throw wrongState(this.subject, "the container is paused");
  }

  /** Whether its input ends with the first caller who wrote to it. */
  get stdinOnce(): boolean {
    return this.#record.stdinOnce;
  }

  /** Its log. */
  log(): Promise<ContainerLog> {
    this.#log ??= ContainerLog.open(this.paths.log).catch((error: unknown) => {
      // It may go well another time.
      this.#log = undefined;
      throw error;
    });
    return this.#log;
  }

  /**
   * Starts it.
   *
   * @throws {RpcError} Code.FailedPrecondition when it runs, when it ran before and must not have, or when its program
   * cannot be run; what {@link prepareProcess} throws.
   */
  start(options: StartOptions = {}): Promise<ContainerRun> {
    return this.#inTurn(() => {
      if (options.fresh === true && this.state !== "created") {
        throw wrongState(this.subject, `invalid state: expected created, actual ${this.state}`);
      }
      if (this.#current !== undefined) throw wrongState(this.subject, `the container is ${this.state} already`);
      this.#restarts.reset();
      return this.#begin(options);
    });
  }

  /** Stops it; returns as soon as it has ended. @throws {RpcError} Code.FailedPrecondition when it does not run. */
  stop(seconds: number | undefined): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#current === undefined && this.#restarts.cancel()) return;
      if (this.#current === undefined) throw wrongState(this.subject, `the container is ${this.state}, not running`);
      await this.#end(seconds ?? this.#record.stopTimeout);
    });
  }

  /** Stops it if it runs, and starts it. @throws {RpcError} as {@link RossContainer.start}. */
  restart(seconds: number | undefined): Promise<ContainerRun> {
    return this.#inTurn(async () => {
      this.#restarts.reset();
      if (this.#current !== undefined) await this.#end(seconds ?? this.#record.stopTimeout);
      return this.#begin({});
    });
  }

  /** Stops it if it runs, for the end of the guest. */
  ensureStopped(graceMs: number, hurry?: AbortSignal): Promise<void> {
    // A stop that is under way with more patience, as a client asked for, must not hold this up.
    const over = (): void => this.#impatience.abort();
    const timer = setTimeout(over, graceMs);
    hurry?.addEventListener("abort", over);
    if (hurry?.aborted) over();
    const stopped = this.#inTurn(async () => {
      this.#restarts.cancel();
      if (this.#current !== undefined) await this.#end(graceMs / 1000);
      // Readers had their time; what they have not taken by now they would not take later.
      const last = this.#lastRun;
      if (last !== undefined && !(await settledWithin(last.hub.done, Math.min(graceMs, 1000), hurry))) last.cutOutput();
      this.execs.cutOutput();
      await (await this.#log)?.close();
    });
    return stopped.finally(() => {
      clearTimeout(timer);
      hurry?.removeEventListener("abort", over);
    });
  }

  /** Signals the main process. @throws {RpcError} Code.FailedPrecondition when it does not run. */
  kill(signal: number): void {
    const { run } = this.current;
    if (signal === 9 || signal === this.#record.stopSignal) this.#stopAsked = true;
    try {
      process.kill(run.process.pid, signal);
    } catch (error) {
      throw wrongState(this.subject, `the process cannot be signaled: ${textOf(error)}`);
    }
  }

  /** Freezes it. @throws {RpcError} Code.FailedPrecondition when it does not run, or is paused already. */
  pause(): Promise<void> {
    return this.#inTurn(async () => {
      const { scope } = this.current;
      if (this.#paused) throw wrongState(this.subject, "the container is paused already");
      this.#paused = true;
      await freezeScope(scope, this.leaders);
    });
  }

  /** Lets it go on. @throws {RpcError} Code.FailedPrecondition when it is not paused. */
  unpause(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#paused) throw wrongState(this.subject, `the container is ${this.state}, not paused`);
      this.#thaw();
    });
  }

  /** Gives it another name, which its store has checked. */
  rename(name: string): Promise<void> {
    return this.#inTurn(() => this.#save({ name }));
  }

  /**
   * Deletes it with its folder.
   *
   * @param force Whether to kill it where it runs.
   * @throws {RpcError} Code.FailedPrecondition when it runs and `force` is not set; Code.Internal when the disk fails, and it
   * is there as before.
   */
  remove(force: boolean): Promise<void> {
    // A stop that is under way must not make a forced removal wait.
    if (force) this.#killNow();
    return this.#inTurn(async () => {
      if (this.#current !== undefined && !force) {
        throw wrongState(this.subject, `the container is ${this.state}; stop it first, or set force`);
      }
      this.#killNow();
      await this.#current?.finished;
      this.#restarts.cancel();
      try {
        await buryTree(this.paths.folder, this.#place.scratch);
      } catch (error) {
        throw failure(Code.Internal, `${this.subject}: ${textOf(error)}`, error);
      }
      this.#removed = true;
      await (await this.#log)?.close();
    });
  }

  async #begin(options: StartOptions): Promise<ContainerRun> {
    if (this.#place.closed()) throw failure(Code.FailedPrecondition, "the guest is shutting down");
    const record = this.#record;
    const scope = newScope(this.#place.token, "ross", this.id);
    try {
      const spec = await prepareProcess(record, this.paths.rootfs, this.subject, { user: "config.user" });
      const log = await this.log();
      const run = new ProcessRun({
        spec: { ...spec, env: { ...spec.env, ...(options.tty === true && { TERM: record.env["TERM"] ?? "xterm" }) } },
        home: { subject: this.subject, scope, clock: this.clock },
        tty: options.tty ?? record.tty,
        stdin: options.stdin ?? record.openStdin,
        size: options.size,
        sink: new LogSink(log, this.clock),
      });
      this.#lastRun = run;
      options.prepared?.(run);
      try {
        await run.start();
      } catch (error) {
        throw startError(this.subject, error);
      }
      const finished = run.process.exited.then((exit) => this.#finish(run, scope, exit));
      const current = { run, scope, finished };
      this.#current = current;
      this.#stopAsked = false;
      await this.#save({ startedAt: this.clock.now(), exitCode: 0, error: "" });
      log.wake();
      return current;
    } catch (error) {
      await this.#save({ error: textOf(error) });
      throw error;
    }
  }

  /** Asks the run to end, then makes it. */
  async #end(seconds: number): Promise<void> {
    const { run, scope, finished } = this.#current as ContainerRun;
    this.#stopAsked = true;
    signalScope(scope, this.#record.stopSignal, this.leaders);
    // Shells on a terminal pass over SIGTERM; that their terminal goes away they understand.
    if (run.tty) signalScope(scope, 1, this.leaders);
    this.#thaw();
    if (!(await settledWithin(finished, seconds * 1000, this.#impatience.signal))) this.#killNow();
    await finished;
  }

  #killNow(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#stopAsked = true;
    signalScope(current.scope, 9, this.leaders);
  }

  #thaw(): void {
    const current = this.#current;
    if (!this.#paused || current === undefined) return;
    this.#paused = false;
    signalScope(current.scope, 18, this.leaders);
  }

  /** The main process has ended: everything else of the container ends too. */
  async #finish(run: ProcessRun, scope: string, exit: ExitStatus): Promise<ExitStatus> {
    await killScope(scope, this.leaders);
    void run.hub.done.then(() => run.hangUp());
    this.#current = undefined;
    this.#paused = false;
    if (!this.#stopAsked && !this.#place.closed()) this.#afterEnd(exit);
    await this.#save({ finishedAt: Math.max(exit.at, this.#record.startedAt + 1), exitCode: exit.code });
    (await this.#log)?.wake();
    if (this.#record.autoRemove && !this.#place.closed()) this.#place.discard(this.id);
    return exit;
  }

  #afterEnd(exit: ExitStatus): void {
    this.#restarts.ended(exit.code, exit.at - this.#record.startedAt, () =>
      this.#inTurn(async () => {
        // Somebody may have stopped it, or started it, meanwhile.
        if (!this.#restarts.pending || this.#current !== undefined || this.#place.closed()) return;
        await this.#begin({});
        await this.#save({ restartCount: this.#record.restartCount + 1 });
      }),
    );
  }

  async #save(change: Partial<ContainerRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    const saved = this.#saving.then(() => {
      if (!this.#removed) return writeContainerRecord(this.paths, this.#record);
    });
    this.#saving = saved.catch(() => {});
    // What happened has happened, also where the disk is full.
    await this.#saving;
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#removed) throw missing("container", this.id);
      return change();
    });
    this.#turn = result.catch(() => {});
    return result;
  }
}
