// The one container that a shim serves: its processes, what is mounted for it, and what containerd is told of it.
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, RpcError } from "@guestwire/rpc";
import {
  TaskCreateSchema,
  TaskDeleteSchema,
  TaskExecAddedSchema,
  TaskExecStartedSchema,
  TaskExitSchema,
  TaskStartSchema,
} from "@guestwire/types/events";
import type { Publisher } from "./events.js";
import { unmountRootfs } from "./mounts.js";
import { ShimProcess } from "./process.js";
import type { Runc } from "./runc.js";
import type { StreamPaths } from "./streams.js";

/** What a container is made of. */
export interface ContainerOptions {
  readonly id: string;
  readonly bundle: string;
  /** The streams of its init process. */
  readonly paths: StreamPaths;
  readonly terminal: boolean;
  readonly runc: Runc;
  readonly events: Publisher;
}

/** A container. */
export class Container {
  readonly id: string;
  readonly bundle: string;
  readonly init: ShimProcess;
  paused = false;
  readonly #execs = new Map<string, ShimProcess>();
  readonly #runc: Runc;
  readonly #events: Publisher;

  constructor({ id, bundle, paths, terminal, runc, events }: ContainerOptions) {
    this.id = id;
    this.bundle = bundle;
    this.#runc = runc;
    this.#events = events;
    this.init = new ShimProcess({ container: id, execId: "", paths, terminal, command: ["run", "--bundle", bundle] });
    events.publish(create(TaskCreateSchema, { containerId: id, bundle, io: { ...paths, terminal } }));
    this.#tellOfExit(this.init);
  }

  /** @throws {RpcError} Code.NotFound for an unknown exec id. */
  find(execId: string): ShimProcess {
    const found = execId === "" ? this.init : this.#execs.get(execId);
    if (found === undefined) throw new RpcError(Code.NotFound, `process ${execId} does not exist: not found`);
    return found;
  }

  /**
   * Adds a process, which waits for its start.
   *
   * @param spec Path of a file with the process in OCI form.
   * @throws {RpcError} Code.AlreadyExists for an exec id in use.
   */
  add(execId: string, paths: StreamPaths, terminal: boolean, spec: string): void {
    if (this.#execs.has(execId)) throw new RpcError(Code.AlreadyExists, `process ${execId}: already exists`);
    const command = ["exec", "--process", spec] as const;
    const added = new ShimProcess({ container: this.id, execId, paths, terminal, command });
    this.#execs.set(execId, added);
    this.#events.publish(create(TaskExecAddedSchema, { containerId: this.id, execId }));
    this.#tellOfExit(added);
  }

  /** Runs a process that waits. */
  start(target: ShimProcess): Promise<number> {
    const { id: containerId } = this;
    const { execId } = target;
    return target.start(this.#runc, (pid) =>
      this.#events.publish(
        execId === ""
          ? create(TaskStartSchema, { containerId, pid })
          : create(TaskExecStartedSchema, { containerId, execId, pid }),
      ),
    );
  }

  /** Forgets a process that is over, and with init removes what the container had. */
  async delete(target: ShimProcess): Promise<void> {
    if (target !== this.init) {
      this.#execs.delete(target.execId);
      return;
    }
    await this.#runc.run(["delete", "--force", this.id]);
    await unmountRootfs(this.bundle);
    const { pid, exit } = target;
    const ended = exit && { exitStatus: exit.code, exitedAt: timestampFromDate(exit.at) };
    this.#events.publish(create(TaskDeleteSchema, { containerId: this.id, pid, ...ended }));
  }

  #tellOfExit(target: ShimProcess): void {
    const { id: containerId } = this;
    void target.exited.then(({ code, at }) => {
      // What never ran has not ended.
      if (target.pid === 0) return;
      const id = target.execId || containerId;
      const exitedAt = timestampFromDate(at);
      this.#events.publish(create(TaskExitSchema, { containerId, id, pid: target.pid, exitStatus: code, exitedAt }));
    });
  }
}
