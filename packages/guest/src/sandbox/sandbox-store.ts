// All sandboxes of a guest by their ids, and what needs more than one: making them, of nothing or of a snapshot, and their time
// to live. Found again after a restart, stopped, with their files.
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import type { CreateSandboxRequest, RestoreRequest } from "@guestwire/sandbox";
import type { GuestClock } from "../clock.js";
import { exists, failure, missing, quoted } from "../errors.js";
import { copyTree } from "../files/copy-tree.js";
import { makeFolder } from "../files/make-folder.js";
import { placeSharedFolders } from "../files/shared-folders.js";
import { pathWithin } from "../process/path-within.js";
import type { StateFolder } from "../state/state-folder.js";
import { after } from "./after.js";
import { Sandbox, type SandboxHome } from "./sandbox.js";
import { createSandboxEvents, type SandboxEvents } from "./sandbox-events.js";
import { sandboxPaths } from "./sandbox-folder.js";
import { readSandboxRecord, readSetup, type SandboxRecord, type SandboxSetup, sandboxId } from "./sandbox-record.js";
import { SandboxSnapshots, type SnapshotRecord } from "./sandbox-snapshots.js";

/** The sandboxes of one guest. */
export class SandboxStore {
  readonly events: SandboxEvents;
  readonly snapshots: SandboxSnapshots;
  readonly #home: SandboxHome;
  readonly #sandboxes = new Map<string, Sandbox>();
  // Ids of sandboxes that are being checked.
  readonly #claimed = new Set<string>();
  // What ends their time to live, by their ids.
  readonly #timers = new Map<string, () => void>();
  #closed = false;

  private constructor(home: SandboxHome, snapshots: SandboxSnapshots) {
    this.#home = home;
    this.events = home.events;
    this.snapshots = snapshots;
  }

  /** Opens the store with the sandboxes and snapshots that are there. @param root Its folder; made where it is missing. */
  static async open(
    root: string,
    { scratch, token }: Pick<StateFolder, "scratch" | "token">,
    clock: GuestClock,
  ): Promise<SandboxStore> {
    const folder = join(root, "sandboxes");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const snapshots = await SandboxSnapshots.open(join(root, "snapshots"), scratch, clock);
    const store = new SandboxStore({ folder, scratch, token, clock, events: createSandboxEvents(clock) }, snapshots);
    const found: SandboxRecord[] = [];
    for (const id of await readdir(folder)) {
      const record = await readSandboxRecord(sandboxPaths(folder, id).record);
      // A folder without a record is no sandbox; it stays where it is for people to look at.
      if (record?.id === id) found.push(record);
    }
    for (const record of found.sort((a, b) => a.createdAt - b.createdAt)) store.#add(record, "stopped");
    return store;
  }

  /** All sandboxes in the order of their creation. */
  get all(): Sandbox[] {
    return [...this.#sandboxes.values()];
  }

  /** @throws {RpcError} Code.NotFound. */
  get(id: string): Sandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw missing("sandbox", id);
    return sandbox;
  }

  /**
   * Makes a sandbox, which starts.
   *
   * @throws {RpcError} Code.AlreadyExists; Code.InvalidArgument; Code.Unimplemented.
   */
  create(request: CreateSandboxRequest): Promise<Sandbox> {
    return this.#claim(request.id, async (id) => {
      const setup = await readSetup(request);
      this.refuseWhenClosed();
      const sandbox = this.#begin(id, request, setup);
      void sandbox.make((rootfs, signal) => fill(rootfs, request.rootfs, setup, signal));
      return sandbox;
    });
  }

  /**
   * Makes a sandbox of a snapshot, and waits until it is ready.
   *
   * @throws {RpcError} Code.NotFound for the snapshot; Code.AlreadyExists; Code.InvalidArgument; Code.Internal when the disk
   * fails.
   */
  restore(request: RestoreRequest): Promise<Sandbox> {
    return this.#claim(request.id, (id) =>
      this.snapshots.use(request.snapshotId, async ({ setup }, files) => {
        const sandbox = this.#begin(id, request, setup);
        await sandbox.make((rootfs, signal) => copyTree(files, rootfs, signal));
        if (sandbox.state !== "failed") return sandbox;
        await this.remove(sandbox, true);
        throw failure(Code.Internal, `sandbox ${quoted(id)}: ${sandbox.error}`);
      }),
    );
  }

  /**
   * Takes a snapshot of a sandbox.
   *
   * @throws {RpcError} Code.FailedPrecondition when it is not ready; Code.Internal when the disk fails.
   */
  checkpoint(sandbox: Sandbox, name: string, labels: Readonly<Record<string, string>>): Promise<SnapshotRecord> {
    this.refuseWhenClosed();
    const { id: sandboxId, limits, env, workingDir, user, mounts, sshPublicKey } = sandbox.record;
    const setup = { limits, env, workingDir, user, mounts, sshPublicKey };
    return sandbox.copy((rootfs, signal) => this.snapshots.take({ sandboxId, name, labels, setup, rootfs }, signal));
  }

  /** @throws {RpcError} as {@link Sandbox.remove}. */
  async remove(sandbox: Sandbox, force: boolean): Promise<void> {
    await sandbox.remove(force);
    if (this.#sandboxes.get(sandbox.id) !== sandbox) return;
    this.#sandboxes.delete(sandbox.id);
    this.#timers.get(sandbox.id)?.();
    this.#timers.delete(sandbox.id);
  }

  /** @throws {RpcError} Code.FailedPrecondition once the guest shuts down. */
  refuseWhenClosed(): void {
    if (this.#closed) throw failure(Code.FailedPrecondition, "the guest is shutting down");
  }

  /** Ends all sandboxes, then the events; nothing starts any more. The sandboxes stay as records. */
  async close(graceMs: number, hurry?: AbortSignal): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#timers.values()) cancel();
    await Promise.all(this.all.map((sandbox) => sandbox.close(graceMs, hurry)));
    this.events.close();
  }

  async #claim(wanted: string, make: (id: string) => Promise<Sandbox>): Promise<Sandbox> {
    this.refuseWhenClosed();
    const id = sandboxId(wanted);
    if (this.#sandboxes.has(id) || this.#claimed.has(id)) throw exists("sandbox", id, "the id is in use");
    this.#claimed.add(id);
    try {
      return await make(id);
    } finally {
      this.#claimed.delete(id);
    }
  }

  #begin(id: string, request: Pick<SandboxRecord, "labels" | "ttlSeconds">, setup: SandboxSetup): Sandbox {
    const { labels, ttlSeconds } = request;
    const times = { createdAt: this.#home.clock.now(), readyAt: 0, lastExitedAt: 0, lastExitCode: 0 };
    const sandbox = this.#add({ ...setup, id, labels, ttlSeconds, ...times }, "starting");
    this.events.publish(id, "created");
    return sandbox;
  }

  #add(record: SandboxRecord, state: "starting" | "stopped"): Sandbox {
    const sandbox = new Sandbox(record, this.#home, state);
    this.#sandboxes.set(record.id, sandbox);
    if (record.ttlSeconds > 0) {
      const leftMs = record.createdAt + record.ttlSeconds * 1000 - this.#home.clock.now();
      // What the disk keeps from being removed can be removed by hand later.
      const expire = (): void => void this.remove(sandbox, true).catch(() => {});
      this.#timers.set(record.id, after(Math.max(leftMs, 0), expire));
    }
    return sandbox;
  }
}

/** Files of a new sandbox: those of a folder, the directory of its commands, and links to what it shares. */
async function fill(rootfs: string, from: string, { mounts, workingDir }: SandboxSetup, signal: AbortSignal) {
  if (from !== "") await copyTree(from, rootfs, signal);
  await placeSharedFolders(rootfs, mounts);
  if (workingDir !== "") await makeFolder(pathWithin(rootfs, workingDir), 0o755);
}
