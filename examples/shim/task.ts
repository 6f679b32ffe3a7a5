// containerd's task API for one container. Its two versions differ in their name alone, so that these methods are the
// handlers of both.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type HandlerContext, RpcError } from "@guestwire/rpc";
import { Status } from "@guestwire/types/containerd";
import { TaskPausedSchema, TaskResumedSchema } from "@guestwire/types/events";
import type { CreateTaskRequest, ExecProcessRequest, KillRequest, UpdateTaskRequest } from "@guestwire/types/task/v2";
import { Container } from "./container.js";
import type { Publisher } from "./events.js";
import { mountRootfs, unmountRootfs } from "./mounts.js";
import type { Exit, ShimProcess } from "./process.js";
import type { Runc } from "./runc.js";
import { packStats } from "./stats.js";
import { checkStreams } from "./streams.js";

/** A request of either version. */
type Of<T> = Omit<T, "$typeName" | "$unknown">;
type Target = { readonly id: string; readonly execId: string };
type Named = { readonly id: string };

/** What the handlers need. */
export interface TaskOptions {
  readonly runc: Runc;
  readonly events: Publisher;
  /** Ends the shim once the answer is out. */
  shutdown(): void;
}

/** The task API. */
export class TaskService {
  readonly #runc: Runc;
  readonly #events: Publisher;
  readonly #shutdown: () => void;
  #container: Container | undefined;

  constructor({ runc, events, shutdown }: TaskOptions) {
    this.#runc = runc;
    this.#events = events;
    this.#shutdown = shutdown;
  }

  async create(request: Of<CreateTaskRequest>): Promise<{ pid: number }> {
    const { id, bundle, rootfs, terminal, checkpoint, stdin, stdout, stderr } = request;
    if (this.#container !== undefined) throw new RpcError(Code.AlreadyExists, `task ${id}: already exists`);
    if (checkpoint !== "") throw new RpcError(Code.Unimplemented, "this shim restores no checkpoints");
    const paths = { stdin, stdout, stderr };
    checkStreams(paths);
    try {
      await mountRootfs(bundle, rootfs);
    } catch (error) {
      await unmountRootfs(bundle);
      throw error;
    }
    const [runc, events] = [this.#runc, this.#events];
    this.#container = new Container({ id, bundle, paths, terminal, runc, events });
    // There is no process yet: runc makes it at the start.
    return { pid: 0 };
  }

  async start({ id, execId }: Target): Promise<{ pid: number }> {
    const container = this.#find(id);
    return { pid: await container.start(container.find(execId)) };
  }

  async exec({ id, execId, terminal, stdin, stdout, stderr, spec }: Of<ExecProcessRequest>): Promise<object> {
    const container = this.#find(id);
    if (execId === "" || execId.includes("/")) throw new RpcError(Code.InvalidArgument, "exec_id: invalid argument");
    if (spec === undefined) throw new RpcError(Code.InvalidArgument, "spec must be set: invalid argument");
    const paths = { stdin, stdout, stderr };
    checkStreams(paths);
    // It is JSON, although it comes in a protobuf message.
    const file = join(container.bundle, `exec-${execId}.json`);
    await writeFile(file, spec.value, { mode: 0o600 });
    container.add(execId, paths, terminal, file);
    return {};
  }

  state({ id, execId }: Target): object {
    const container = this.#find(id);
    const target = container.find(execId);
    const { pid, paths, terminal, exit } = target;
    const ended = exit && { exitStatus: exit.code, exitedAt: timestampFromDate(exit.at) };
    const status = statusOf(target, container.paused);
    return { id: execId || id, execId, bundle: container.bundle, pid, status, terminal, ...paths, ...ended };
  }

  async wait({ id, execId }: Target, { signal }: HandlerContext): Promise<{ exitStatus: number; exitedAt: Timestamp }> {
    const { exited } = this.#find(id).find(execId);
    // The process may live for ever; a caller who is gone must not be waited for.
    const { code, at } = await new Promise<Exit>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      void exited.then(resolve);
    });
    return { exitStatus: code, exitedAt: timestampFromDate(at) };
  }

  async kill({ id, execId, signal, all }: Of<KillRequest>): Promise<object> {
    const target = this.#find(id).find(execId);
    if (target.exit !== undefined) throw finished();
    if (!target.running) throw new RpcError(Code.FailedPrecondition, `${target.name} was not started`);
    if (execId !== "" && !all) {
      if (!reaches(target.pid, signal)) throw finished();
      return {};
    }
    const { failed } = await this.#runc.run(["kill", ...(all ? ["--all"] : []), id, String(signal)]);
    // It may have ended before we have learned of it.
    if (failed !== undefined && /not running|does not exist|no such process/.test(failed)) throw finished();
    if (failed !== undefined) throw new RpcError(Code.Unknown, `runc kill: ${failed}`);
    return {};
  }

  async delete({ id, execId }: Target): Promise<object> {
    const container = this.#find(id);
    const target = container.find(execId);
    if (target.running) throw new RpcError(Code.FailedPrecondition, `${target.name} is running: failed precondition`);
    await container.delete(target);
    if (target === container.init) this.#container = undefined;
    const { pid, exit } = target;
    return { pid, ...(exit && { exitStatus: exit.code, exitedAt: timestampFromDate(exit.at) }) };
  }

  async pids({ id }: Named): Promise<{ processes: { pid: number }[] }> {
    const { init } = this.#find(id);
    if (!init.running) return { processes: [] };
    const pids: number[] = JSON.parse(await this.#command(["ps", "--format", "json", id]));
    return { processes: pids.map((pid) => ({ pid })) };
  }

  async stats({ id }: Named): Promise<{ stats: { typeUrl: string; value: Uint8Array } }> {
    this.#find(id);
    const { data } = JSON.parse(await this.#command(["events", "--stats", id]));
    return { stats: packStats(data) };
  }

  async pause({ id }: Named): Promise<object> {
    const container = this.#find(id);
    await this.#command(["pause", id]);
    container.paused = true;
    this.#events.publish(create(TaskPausedSchema, { containerId: id }));
    return {};
  }

  async resume({ id }: Named): Promise<object> {
    const container = this.#find(id);
    await this.#command(["resume", id]);
    container.paused = false;
    this.#events.publish(create(TaskResumedSchema, { containerId: id }));
    return {};
  }

  async update({ id, resources }: Of<UpdateTaskRequest>): Promise<object> {
    this.#find(id);
    // JSON here as well, in the form that runc reads.
    await this.#command(["update", "--resources", "-", id], Buffer.from(resources?.value ?? "{}").toString());
    return {};
  }

  closeIO({ id, execId, stdin }: Target & { readonly stdin: boolean }): object {
    const target = this.#find(id).find(execId);
    if (stdin) target.closeInput();
    return {};
  }

  resizePty({ id, execId, width, height }: Target & { readonly width: number; readonly height: number }): object {
    this.#find(id).find(execId).resize(width, height);
    return {};
  }

  connect(): { shimPid: number; taskPid: number; version: string } {
    return { shimPid: process.pid, taskPid: this.#container?.init.pid ?? 0, version: "1" };
  }

  shutdown(): object {
    if (this.#container === undefined) this.#shutdown();
    return {};
  }

  #find(id: string): Container {
    const container = this.#container;
    if (container === undefined || container.id !== id) {
      throw new RpcError(Code.NotFound, "container not created: not found");
    }
    return container;
  }

  async #command(args: readonly string[], input?: string): Promise<string> {
    const { failed, output } = await this.#runc.run(args, input);
    if (failed !== undefined) throw new RpcError(Code.Unknown, `runc ${args[0]}: ${failed}`);
    return output;
  }
}

function statusOf({ exit, running }: ShimProcess, paused: boolean): Status {
  if (exit !== undefined) return Status.STOPPED;
  if (!running) return Status.CREATED;
  return paused ? Status.PAUSED : Status.RUNNING;
}

/** The words that containerd and its clients look for. */
function finished(): RpcError {
  return new RpcError(Code.NotFound, "process already finished: not found");
}

function reaches(pid: number, signal: number): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw new RpcError(Code.InvalidArgument, `signal ${signal}: ${(error as Error).message}`);
  }
}
