// All containers of a guest by their ids. Makes them and ends them; what they do is their own.
import { Code } from "@guestwire/rpc";
import type { StreamServer } from "@guestwire/stdio/streams";
import type { TaskEvent } from "@guestwire/types/events";
import type { GuestClock } from "../clock.js";
import { exists, failure, missing } from "../errors.js";
import type { EventBus } from "../events/event-bus.js";
import { signalScope } from "../process/scope.js";
import { settledWithin } from "../wait.js";
import { Container } from "./container.js";
import { readBundle } from "./oci-process.js";
import { claimIo, type TaskIo } from "./task-io.js";
import type { TaskProcess } from "./task-process.js";
import { readStreams, type Streams } from "./task-requests.js";

/** What all containers share. */
export interface ContainerHome {
  readonly token: string;
  readonly clock: GuestClock;
  readonly bus: EventBus;
  /** Where the raw streams are that requests name. */
  readonly streams: StreamServer;
}

/** The containers of one guest. */
export class ContainerStore {
  readonly #containers = new Map<string, Container>();
  // Ids whose containers are being made.
  readonly #making = new Set<string>();
  readonly #home: ContainerHome;
  #closed = false;

  constructor(home: ContainerHome) {
    this.#home = home;
  }

  /** How many containers there are, stopped ones too. */
  get size(): number {
    return this.#containers.size;
  }

  /**
   * Makes a container from a bundle.
   *
   * @param streams What the request says of the init process's standard streams.
   * @throws {RpcError} Code.AlreadyExists for an id in use; Code.FailedPrecondition once the guest shuts down; what
   * reading the bundle and claiming streams throw.
   */
  async create(id: string, bundle: string, namespace: string, streams: Streams): Promise<Container> {
    this.refuseWhenClosed();
    if (this.#containers.has(id) || this.#making.has(id)) throw exists("task", id);
    this.#making.add(id);
    try {
      readStreams(streams);
      const { root, process: spec } = await readBundle(bundle);
      const publish = (event: TaskEvent): void => this.#home.bus.publish(namespace, event);
      const io = await this.claim(streams);
      const container = new Container({ id, bundle, root, spec, io, publish, home: this.#home });
      await container.create();
      this.#containers.set(id, container);
      // The guest may have begun to end meanwhile.
      if (this.#closed) container.init.process.signal(9);
      return container;
    } finally {
      this.#making.delete(id);
    }
  }

  /** Claims the raw streams that a request names. @throws {RpcError} as {@link claimIo}. */
  claim(streams: Streams): Promise<TaskIo> {
    return claimIo(this.#home.streams, streams);
  }

  /** @throws {RpcError} Code.NotFound for an unknown container. */
  get(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw missing("task", id, "container not created");
    return container;
  }

  /** @throws {RpcError} Code.NotFound for an unknown container or process. */
  find(id: string, execId: string): TaskProcess {
    return this.get(id).find(execId);
  }

  /** Looks without an error. */
  peek(id: string): Container | undefined {
    return this.#containers.get(id);
  }

  /** Releases a stopped process; with init, the container. */
  forget(container: Container, target: TaskProcess): void {
    if (target === container.init) this.#containers.delete(container.id);
    container.forget(target);
  }

  /** @throws {RpcError} Code.FailedPrecondition once the guest shuts down. */
  refuseWhenClosed(): void {
    if (this.#closed) throw failure(Code.FailedPrecondition, "the guest is shutting down");
  }

  /**
   * Ends all containers and takes no new ones: SIGTERM to all of their processes, SIGKILL to what is left after the grace.
   * The containers stay as records.
   *
   * @param hurry Cuts the grace short.
   */
  async stopAll(graceMs: number, hurry?: AbortSignal): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#containers.values()].map((container) => stop(container, graceMs, hurry)));
  }

  /** Gives up all processes that never ran, so that nobody waits for them. */
  close(): void {
    const reason = failure(Code.Unavailable, "the guest has ended");
    for (const container of this.#containers.values()) {
      for (const target of container.execs.values()) if (target.state === "created") target.abandon(reason);
    }
  }
}

async function stop(container: Container, graceMs: number, hurry: AbortSignal | undefined): Promise<void> {
  const { init } = container;
  if (init.state === "stopped") return;
  if (init.state === "created") init.process.signal(9);
  else signalScope(container.scope, 15);
  if (!(await settledWithin(init.process.exited, graceMs, hurry))) init.process.signal(9);
  // Readers had their time; what they have not taken by now they would not take in another ten seconds.
  if (!(await settledWithin(init.done, 1000, hurry))) container.cutOutput();
  await init.done;
}
