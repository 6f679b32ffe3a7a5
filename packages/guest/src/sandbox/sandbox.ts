// One sandbox: its states, its folder, and what runs in it. Knows no service; what a command is, command.ts knows.
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import { failure, quoted, textOf, wrongState } from "../errors.js";
import { buryTree } from "../files/remove-tree.js";
import type { ExitStatus } from "../process/child.js";
import { freezeScope, killScope, newScope, processesOf, signalScope } from "../process/scope.js";
import type { ProcessRun } from "../ross/containers/process-run.js";
import { settledWithin } from "../wait.js";
import { endScope } from "./end-scope.js";
import { lastReadMs } from "./limits.js";
import type { SandboxEvents } from "./sandbox-events.js";
import { makeSandboxFolder, type SandboxPaths, sandboxPaths, writeSandboxRecord } from "./sandbox-folder.js";
import type { SandboxRecord } from "./sandbox-record.js";

/** What a sandbox can be. */
export type SandboxState = "starting" | "ready" | "running" | "stopping" | "stopped" | "failed";

/** What all sandboxes of a guest have in common. */
export interface SandboxHome {
  /** The folder with all of theirs. */
  readonly folder: string;
  readonly scratch: string;
  readonly token: string;
  readonly clock: GuestClock;
  readonly events: SandboxEvents;
}

/** A sandbox of this guest. */
export class Sandbox {
  readonly paths: SandboxPaths;
  readonly clock: GuestClock;
  readonly #home: SandboxHome;
  /** All that runs in it. */
  readonly #scope: string;
  /** Fires when it has to end at once. */
  readonly #hurry = new AbortController();
  #record: SandboxRecord;
  #state: SandboxState;
  #error = "";
  #run: ProcessRun | undefined;
  #commands = 0;
  // What has to be over before it can end: its making, the start of a command, a copy of its files.
  #busy: Promise<unknown> = Promise.resolve();
  #copying = false;
  #stopped: Promise<void> = Promise.resolve();
  #removed: Promise<void> | undefined;
  #written: Promise<void> = Promise.resolve();

  /** @param state "starting" for one that is made now, "stopped" for one that was found. */
  constructor(record: SandboxRecord, home: SandboxHome, state: "starting" | "stopped") {
    this.#record = record;
    this.#home = home;
    this.#state = state;
    this.clock = home.clock;
    this.paths = sandboxPaths(home.folder, record.id);
    this.#scope = newScope(home.token, "sandbox", record.id);
  }

  get record(): SandboxRecord {
    return this.#record;
  }

  get id(): string {
    return this.#record.id;
  }

  get state(): SandboxState {
    return this.#state;
  }

  /** Why it failed; empty where it did not. */
  get error(): string {
    return this.#error;
  }

  get subject(): string {
    return `sandboxes/${this.id}`;
  }

  /** @throws {RpcError} Code.FailedPrecondition unless a command could be started now. */
  requireReady(): void {
    if (this.#state !== "ready") throw wrongState(this.subject, `the sandbox is ${this.#state}, not ready`);
    if (this.#copying) throw wrongState(this.subject, "a snapshot of the sandbox is being taken");
  }

  /**
   * Makes its folder. Afterwards it is ready, or has failed and says why.
   *
   * @param fill Puts files into its root file system, and gives up when the signal fires.
   */
  make(fill: (rootfs: string, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { scratch, clock } = this.#home;
    const { signal } = this.#hurry;
    const make = async (): Promise<void> => {
      try {
        this.#record = await makeSandboxFolder(
          this.paths,
          scratch,
          (rootfs) => fill(rootfs, signal),
          () => {
            signal.throwIfAborted();
            return { ...this.#record, readyAt: clock.now() };
          },
        );
        if (this.#state === "starting") this.#become("ready");
      } catch (error) {
        if (this.#state !== "starting") return;
        this.#error = textOf(error);
        this.#become("failed", { error: this.#error });
      }
    };
    const made = make();
    this.#busy = made;
    return made;
  }

  /**
   * Starts a command; the sandbox runs until it ends.
   *
   * @param start Starts it in the given scope.
   * @throws {RpcError} Code.FailedPrecondition when the sandbox is not ready; what `start` throws.
   */
  start(start: (scope: string) => Promise<ProcessRun>): Promise<ProcessRun> {
    this.requireReady();
    this.#state = "running";
    const begin = async (): Promise<ProcessRun> => {
      let run: ProcessRun;
      try {
        run = await start(`${this.#scope}/${++this.#commands}`);
      } catch (error) {
        if (this.#state === "running") this.#state = "ready";
        throw error;
      }
      this.#run = run;
      void run.process.exited.then((exit) => this.#onExit(exit));
      if (this.#state === "running") this.#home.events.publish(this.id, "running");
      return run;
    };
    const began = begin();
    this.#busy = began.catch(() => {});
    return began;
  }

  /**
   * Copies its files while nothing in it moves.
   *
   * @throws {RpcError} Code.FailedPrecondition when it is not ready; what `copy` throws.
   */
  copy<T>(copy: (rootfs: string, signal: AbortSignal) => Promise<T>): Promise<T> {
    this.requireReady();
    this.#copying = true;
    const work = async (): Promise<T> => {
      // What commands left running.
      const inhabited = processesOf(this.#scope).length > 0;
      try {
        if (inhabited) await freezeScope(this.#scope);
        return await copy(this.paths.rootfs, this.#hurry.signal);
      } catch (error) {
        if (this.#hurry.signal.aborted) throw wrongState(this.subject, "it ended while a snapshot of it was taken");
        throw error;
      } finally {
        if (inhabited) signalScope(this.#scope, 18);
        this.#copying = false;
      }
    };
    const copied = work();
    this.#busy = copied.catch(() => {});
    return copied;
  }

  /**
   * Ends what runs in it, then itself.
   *
   * @throws {RpcError} Code.FailedPrecondition when it is neither ready nor running.
   */
  stop(graceMs: number): Promise<void> {
    if (this.#state !== "ready" && this.#state !== "running") {
      throw wrongState(this.subject, `the sandbox is ${this.#state}, neither ready nor running`);
    }
    this.#become("stopping");
    const stop = async (): Promise<void> => {
      await this.#busy;
      const run = this.#run?.exit === undefined ? this.#run : undefined;
      await endScope(this.#scope, {
        leaders: () => this.#leaders,
        graceMs,
        hangUp: run?.tty === true,
        hurry: this.#hurry.signal,
      });
      await run?.process.exited;
      if (this.#removed !== undefined) return;
      await this.#save();
      this.#become("stopped", run === undefined ? {} : { exit_code: String(this.#record.lastExitCode) });
    };
    this.#stopped = stop();
    return this.#stopped;
  }

  /**
   * Deletes it with its folder.
   *
   * @param force Whether to kill what runs in it first.
   * @throws {RpcError} Code.FailedPrecondition when it is starting, running or stopping and `force` is not set; Code.Internal
   * when the disk fails.
   */
  remove(force: boolean): Promise<void> {
    if (!force && this.#removed === undefined && ["starting", "running", "stopping"].includes(this.#state)) {
      throw wrongState(this.subject, `the sandbox is ${this.#state}; stop it first, or set force`);
    }
    this.#removed ??= this.#remove().catch((error: unknown) => {
      // It may be tried again.
      this.#removed = undefined;
      this.#state = "stopped";
      throw failure(Code.Internal, `sandbox ${quoted(this.id)}: ${textOf(error)}`, error);
    });
    return this.#removed;
  }

  /** Stops it if it runs, for the end of the guest. */
  async close(graceMs: number, hurry?: AbortSignal): Promise<void> {
    const over = (): void => this.#hurry.abort();
    // A stop that is under way with more patience must not hold this up.
    const timer = setTimeout(over, graceMs);
    hurry?.addEventListener("abort", over);
    if (hurry?.aborted || this.#state === "starting") over();
    const run = this.#run;
    try {
      if (this.#state === "ready" || this.#state === "running") await this.stop(graceMs);
      // Who removes it hears of what goes wrong there.
      await Promise.all([this.#busy, this.#stopped, this.#removed?.catch(() => {})]);
      // Readers had their time; what they have not taken by now they would not take later.
      if (run !== undefined && !(await settledWithin(run.hub.done, Math.min(graceMs, lastReadMs), hurry)))
        run.cutOutput();
    } finally {
      clearTimeout(timer);
      hurry?.removeEventListener("abort", over);
    }
    await this.#written;
  }

  get #leaders(): number[] {
    const { process } = this.#run ?? {};
    return process !== undefined && process.exit === undefined && process.pid > 0 ? [process.pid] : [];
  }

  async #remove(): Promise<void> {
    if (this.#state !== "stopped" && this.#state !== "failed") this.#state = "stopping";
    this.#hurry.abort();
    await this.#busy;
    await killScope(this.#scope, this.#leaders);
    await Promise.all([this.#stopped, this.#run?.process.exited, this.#written]);
    // One that failed has no folder.
    if (this.#record.readyAt > 0) await buryTree(this.paths.folder, this.#home.scratch);
    this.#home.events.publish(this.id, "removed");
  }

  #onExit({ code, at }: ExitStatus): void {
    this.#record = { ...this.#record, lastExitedAt: at, lastExitCode: code };
    if (this.#state !== "running") return;
    this.#state = "ready";
    this.#home.events.publish(this.id, "idle", { exit_code: String(code) });
    void this.#save();
  }

  #become(state: Exclude<SandboxState, "starting" | "running">, attributes?: Readonly<Record<string, string>>): void {
    this.#state = state;
    this.#home.events.publish(this.id, state, attributes);
  }

  /** Only the facts about the last command are lost where the disk fails. */
  #save(): Promise<void> {
    const write = (): Promise<void> => writeSandboxRecord(this.paths, this.#record);
    this.#written = this.#written.then(write).catch(() => {});
    return this.#written;
  }
}
