// One machine: a record that lasts, and a process while it runs. Changes of state happen one after the other.
import { rm } from "node:fs/promises";
import type { GuestClock } from "../clock.js";
import { missing, wrongState } from "../errors.js";
import { newScope } from "../process/scope.js";
import { type MachinePaths, writeRecord } from "./machine-folder.js";
import { MachineProcess } from "./machine-process.js";
import type { MachineRecord } from "./machine-record.js";

/** What a machine can be. */
export type MachineState = "created" | "running" | "stopped";

/** A machine of this guest. */
export class Machine {
  readonly paths: MachinePaths;
  readonly #token: string;
  readonly #clock: GuestClock;
  #record: MachineRecord;
  #process: MachineProcess | undefined;
  #removed = false;
  // The end of the last change of state.
  #turn: Promise<unknown> = Promise.resolve();

  constructor(record: MachineRecord, paths: MachinePaths, token: string, clock: GuestClock) {
    this.#record = record;
    this.paths = paths;
    this.#token = token;
    this.#clock = clock;
  }

  get record(): MachineRecord {
    return this.#record;
  }

  get name(): string {
    return this.#record.name;
  }

  get state(): MachineState {
    if (this.#process !== undefined) return "running";
    return this.#record.startedAt === 0 ? "created" : "stopped";
  }

  /** The machine's process. @throws {RpcError} Code.FailedPrecondition when it does not run. */
  get running(): MachineProcess {
    if (this.#process === undefined) throw wrongState(this.#subject, `the machine is ${this.state}, not running`);
    return this.#process;
  }

  /** Starts it and waits until it answers. @throws {RpcError} FailedPrecondition when it runs; Internal. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#process !== undefined) throw wrongState(this.#subject, "the machine is running already");
      const started = await MachineProcess.start(this.name, this.paths, newScope(this.#token, "machine", this.name));
      this.#process = started;
      // It may also end without being asked to.
      void started.ended.then(() => {
        if (this.#process === started) this.#process = undefined;
      });
      this.#record = { ...this.#record, startedAt: this.#clock.now() };
      await writeRecord(this.paths, this.#record);
    });
  }

  /**
   * Ends it.
   *
   * @param graceMs 0 kills at once.
   * @throws {RpcError} Code.FailedPrecondition when it does not run.
   */
  stop(graceMs: number, hurry?: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.running.stop(graceMs, hurry));
  }

  /** Ends it if it runs. */
  ensureStopped(graceMs: number, hurry?: AbortSignal): Promise<void> {
    return this.#inTurn(async () => this.#process?.stop(graceMs, hurry));
  }

  /**
   * Deletes it with its folder.
   *
   * @param force Whether to kill it where it runs.
   * @throws {RpcError} Code.FailedPrecondition when it runs and `force` is not set.
   */
  remove(force: boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#process !== undefined && !force) {
        throw wrongState(this.#subject, "the machine is running; stop it first, or set force");
      }
      await this.#process?.stop(0);
      this.#removed = true;
      await rm(this.paths.folder, { recursive: true, force: true });
    });
  }

  get #subject(): string {
    return `machines/${this.name}`;
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#removed) throw missing("machine", this.name);
      return change();
    });
    this.#turn = result.catch(() => {});
    return result;
  }
}
