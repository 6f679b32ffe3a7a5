// One container: an init process, processes added to it, and the rule that none outlives init. Publishes what happens.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@guestwire/rpc";
import {
  TaskCreateSchema,
  TaskDeleteSchema,
  type TaskEvent,
  TaskExecAddedSchema,
  TaskExecStartedSchema,
  TaskExitSchema,
  TaskStartSchema,
} from "@guestwire/types/events";
import type { GuestClock } from "../clock.js";
import { exists, failure, missing, textOf, wrongState } from "../errors.js";
import type { ProcessHome, ProcessSpec } from "../process/process.js";
import { killScope, newScope } from "../process/scope.js";
import type { TaskIo } from "./task-io.js";
import { TaskProcess } from "./task-process.js";

/** What a container is made of. */
export interface ContainerOptions {
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** The folder that counts as "/" for working directories. */
  readonly root: string;
  readonly spec: ProcessSpec;
  /** The init process's standard streams. */
  readonly io: TaskIo;
  /** Tells the world what happens. */
  publish(event: TaskEvent): void;
  /** Where processes belong. */
  readonly home: { readonly token: string; readonly clock: GuestClock };
}

/** A container and its processes. */
export class Container {
  readonly id: string;
  readonly bundle: string;
  readonly root: string;
  /** The scope of all its processes. */
  readonly scope: string;
  readonly init: TaskProcess;
  readonly execs: Map<string, TaskProcess> = new Map();
  readonly #publish: (event: TaskEvent) => void;
  readonly #home: ContainerOptions["home"];

  constructor({ id, bundle, root, spec, io, publish, home }: ContainerOptions) {
    this.id = id;
    this.bundle = bundle;
    this.root = root;
    this.#publish = publish;
    this.#home = home;
    this.scope = newScope(home.token, "task", id);
    this.init = new TaskProcess("", spec, io, this.#processHome(`tasks/${id}`));
  }

  /**
   * Makes the init process, which waits for its start.
   *
   * @throws {RpcError} Code.Unknown with the system's text when it cannot be made.
   */
  async create(): Promise<void> {
    const { process, io } = this.init;
    try {
      await this.init.hold();
    } catch (error) {
      io.streams?.cut();
      throw failure(Code.Unknown, `task ${JSON.stringify(this.id)}: ${textOf(error)}`, error);
    }
    const { id, bundle } = this;
    this.#publish(create(TaskCreateSchema, { containerId: id, bundle, io: io.names, pid: process.pid }));
    void process.exited.then(() => this.#initExited());
  }

  /** @throws {RpcError} Code.NotFound for an unknown exec id. */
  find(execId: string): TaskProcess {
    const found = execId === "" ? this.init : this.execs.get(execId);
    if (found === undefined) throw missing("process", execId, `task ${JSON.stringify(this.id)} has no such process`);
    return found;
  }

  /**
   * Runs the init process or an added one.
   *
   * @throws {RpcError} Code.FailedPrecondition when it was started before, or when init does not run; Code.Unknown with
   * the system's text when it cannot be started.
   */
  async start(target: TaskProcess): Promise<number> {
    const { process } = target;
    if (target === this.init) {
      if (process.exit !== undefined) throw wrongState(target.subject, "the process is stopped");
      await target.start(() => process.release());
      this.#publish(create(TaskStartSchema, { containerId: this.id, pid: process.pid }));
      return process.pid;
    }
    this.#requireInit();
    await target.start(async () => {
      try {
        await target.run();
      } catch (error) {
        throw failure(Code.Unknown, `${target.subject}: ${textOf(error)}`, error);
      }
    });
    this.#publish(create(TaskExecStartedSchema, { containerId: this.id, execId: target.execId, pid: process.pid }));
    void target.ended.then((exit) => target.finish(exit, () => this.#announceExit(target)));
    // Init may have ended while the process was being started.
    if (this.init.process.exit !== undefined) process.signal(9);
    return process.pid;
  }

  /**
   * Checks that a process can be added.
   *
   * @throws {RpcError} Code.AlreadyExists for an exec id in use; Code.FailedPrecondition when init has ended.
   */
  checkFree(execId: string): void {
    if (this.init.process.exit !== undefined) throw wrongState(this.init.subject, "the init process has ended");
    if (this.execs.has(execId)) throw exists("process", execId, `task ${JSON.stringify(this.id)} has it already`);
  }

  /**
   * Adds a process, which waits for its start.
   *
   * @throws {RpcError} as {@link Container.checkFree}.
   */
  add(execId: string, spec: ProcessSpec, io: TaskIo): void {
    this.checkFree(execId);
    const home = this.#processHome(`tasks/${this.id}/${execId}`);
    this.execs.set(execId, new TaskProcess(execId, spec, io, home));
    this.#publish(create(TaskExecAddedSchema, { containerId: this.id, execId }));
  }

  /** Forgets a process; with init, all. Gives up what never ran. */
  forget(target: TaskProcess): void {
    const reason = missing("process", target.execId, "it was deleted");
    if (target !== this.init) {
      this.execs.delete(target.execId);
      target.abandon(reason);
      return;
    }
    for (const added of this.execs.values()) added.abandon(reason);
    this.execs.clear();
    const { code, at } = target.exit ?? { code: 0, at: 0 };
    this.#publish(
      create(TaskDeleteSchema, {
        containerId: this.id,
        pid: target.process.pid,
        exitStatus: code,
        exitedAt: timestampFromMs(at),
      }),
    );
  }

  /** Makes all output end now, without waiting for its readers. */
  cutOutput(): void {
    for (const target of [this.init, ...this.execs.values()]) {
      if (target.process.exit !== undefined) target.cutOutput();
    }
  }

  /** Init has ended: everything else of the container ends too, and init's end is announced last. */
  async #initExited(): Promise<void> {
    for (const { process } of this.execs.values()) process.signal(9);
    // What init left in its group and elsewhere; a real container's process namespace would end it as well.
    await killScope(this.scope, [this.init.process.pid]);
    const exit = await this.init.ended;
    for (;;) {
      const busy = [...this.execs.values()].flatMap((target) => target.busy ?? []);
      if (busy.length === 0) break;
      await Promise.allSettled(busy);
    }
    const ended = wrongState(this.init.subject, "the init process has ended");
    for (const target of this.execs.values()) if (target.state === "created") target.abandon(ended);
    this.init.finish(exit, () => this.#announceExit(this.init));
  }

  #announceExit(target: TaskProcess): void {
    const { exit } = target;
    if (exit === undefined) return;
    this.#publish(
      create(TaskExitSchema, {
        containerId: this.id,
        id: target.execId || this.id,
        pid: target.process.pid,
        exitStatus: exit.code,
        exitedAt: timestampFromMs(exit.at),
      }),
    );
  }

  #requireInit(): void {
    const state = this.init.process.exit === undefined ? this.init.state : "stopped";
    if (state !== "running") throw wrongState(this.init.subject, `the init process is ${state}`);
  }

  #processHome(subject: string): ProcessHome {
    return { subject, scope: this.scope, clock: this.#home.clock };
  }
}
