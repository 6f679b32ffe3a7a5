// Snapshots of sandboxes: copies of their files, with what is needed to make a sandbox of them again. Found again after a
// restart. Knows no process.
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import { failure, missing, textOf } from "../errors.js";
import { copyTree } from "../files/copy-tree.js";
import { buryTree } from "../files/remove-tree.js";
import { makeSandboxFolder, type SandboxPaths, sandboxPaths } from "./sandbox-folder.js";
import type { SandboxSetup } from "./sandbox-record.js";

/** A snapshot. JSON. */
export interface SnapshotRecord {
  readonly id: string;
  /** The sandbox that it was taken of, which may be gone. */
  readonly sandboxId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In milliseconds since 1970. */
  readonly createdAt: number;
  readonly setup: SandboxSetup;
}

/** What a snapshot is taken of. */
export interface SnapshotSource extends Pick<SnapshotRecord, "sandboxId" | "name" | "labels" | "setup"> {
  readonly rootfs: string;
}

/** The snapshots of one guest. */
export class SandboxSnapshots {
  readonly #root: string;
  readonly #scratch: string;
  readonly #clock: GuestClock;
  readonly #records = new Map<string, SnapshotRecord>();
  // What is being done with them.
  readonly #uses = new Map<string, Set<Promise<void>>>();

  private constructor(root: string, scratch: string, clock: GuestClock) {
    this.#root = root;
    this.#scratch = scratch;
    this.#clock = clock;
  }

  /** Opens them. @param root Their folder; made where it is missing. */
  static async open(root: string, scratch: string, clock: GuestClock): Promise<SandboxSnapshots> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const snapshots = new SandboxSnapshots(root, scratch, clock);
    const found: SnapshotRecord[] = [];
    for (const id of await readdir(root)) {
      const record = await readSnapshot(sandboxPaths(root, id).record);
      // A folder without a record stays where it is for people to look at.
      if (record?.id === id) found.push(record);
    }
    for (const record of found.sort((a, b) => a.createdAt - b.createdAt)) snapshots.#records.set(record.id, record);
    return snapshots;
  }

  /** All of them in the order of their making. */
  get all(): SnapshotRecord[] {
    return [...this.#records.values()];
  }

  /** @throws {RpcError} Code.NotFound. */
  get(id: string): SnapshotRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw missing("snapshot", id);
    return record;
  }

  /** Absolute path of a snapshot's folder. */
  folderOf(id: string): string {
    return this.#paths(id).folder;
  }

  /** Takes one. @param signal Gives up. @throws {RpcError} Code.Internal when the disk fails. */
  async take({ rootfs, ...source }: SnapshotSource, signal: AbortSignal): Promise<SnapshotRecord> {
    const id = randomUUID();
    const fill = (to: string): Promise<void> => copyTree(rootfs, to, signal);
    try {
      const record = await makeSandboxFolder<SnapshotRecord>(this.#paths(id), this.#scratch, fill, () => {
        return { id, ...source, createdAt: this.#clock.now() };
      });
      this.#records.set(id, record);
      return record;
    } catch (error) {
      throw failure(Code.Internal, `snapshot of sandbox ${JSON.stringify(source.sandboxId)}: ${textOf(error)}`, error);
    }
  }

  /**
   * Uses a snapshot's files, which stay until that is over.
   *
   * @throws {RpcError} Code.NotFound; what `work` throws.
   */
  use<T>(id: string, work: (snapshot: SnapshotRecord, rootfs: string) => Promise<T>): Promise<T> {
    const result = work(this.get(id), this.#paths(id).rootfs);
    const uses = this.#uses.get(id) ?? new Set();
    const over: Promise<void> = result.then(
      () => void uses.delete(over),
      () => void uses.delete(over),
    );
    this.#uses.set(id, uses.add(over));
    return result;
  }

  /** Deletes one, once nobody uses it any more. @throws {RpcError} Code.NotFound; Code.Internal. */
  async delete(id: string): Promise<void> {
    const record = this.get(id);
    // Nobody begins to use it from here on.
    this.#records.delete(id);
    await Promise.all(this.#uses.get(id) ?? []);
    try {
      await buryTree(this.#paths(id).folder, this.#scratch);
      this.#uses.delete(id);
    } catch (error) {
      this.#records.set(id, record);
      throw failure(Code.Internal, `snapshot ${JSON.stringify(id)}: ${textOf(error)}`, error);
    }
  }

  #paths(id: string): SandboxPaths {
    return sandboxPaths(this.#root, id);
  }
}

async function readSnapshot(path: string): Promise<SnapshotRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as SnapshotRecord;
  } catch {
    return undefined;
  }
}
