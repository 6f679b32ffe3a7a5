// Snapshots as folders: whole trees that can be used without mounting anything, which needs no root. An active one begins as
// a copy of its parent (without a second copy of the data where the file system can), a view is its parent's own folder.
import { randomUUID } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import { exists, failure, invalid, missing, quoted, textOf, wrongState } from "../../errors.js";
import { copyTree } from "../../files/copy-tree.js";
import { removeTree } from "../../files/remove-tree.js";
import { measure, type Usage } from "../../files/usage.js";
import { RecordFile } from "../../state/record-file.js";

/** What may be done with a snapshot: look at it, write to it, or build on it. */
export type SnapshotKind = "view" | "active" | "committed";

/** What is kept of a snapshot. */
export interface SnapshotRecord {
  readonly key: string;
  /** Key of the committed snapshot below; empty for none. */
  readonly parent: string;
  readonly kind: SnapshotKind;
  /** Milliseconds since 1970, as `updatedAt`. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of its folder in the store's; empty for a view of a parent, which has none of its own. */
  readonly folder: string;
}

/** What a new snapshot is given. */
export interface NewSnapshot {
  readonly key: string;
  readonly parent: string;
  readonly labels: Readonly<Record<string, string>>;
}

const longestKey = 1024;

/** The snapshots of one guest. */
export class SnapshotStore {
  readonly #root: string;
  readonly #clock: GuestClock;
  readonly #records = new Map<string, SnapshotRecord>();
  // Keys and folders of snapshots that are being made, and parents that are being copied.
  readonly #making = new Map<string, string>();
  readonly #copying = new Map<string, number>();
  readonly #file: RecordFile<SnapshotRecord>;

  private constructor(root: string, clock: GuestClock) {
    this.#root = root;
    this.#clock = clock;
    this.#file = new RecordFile(join(root, "snapshots.json"));
  }

  /**
   * Opens the store with the snapshots that are there.
   *
   * @param root Its folder; made where it is missing.
   */
  static async open(root: string, clock: GuestClock): Promise<SnapshotStore> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const store = new SnapshotStore(root, clock);
    for (const record of await store.#file.read()) store.#records.set(record.key, record);
    return store;
  }

  /** All snapshots, or the direct children of one, in the order of their making. */
  list(parent?: string): SnapshotRecord[] {
    const all = [...this.#records.values()];
    return parent === undefined ? all : all.filter((record) => record.parent === parent);
  }

  has(key: string): boolean {
    return this.#records.has(key);
  }

  /** @throws {RpcError} Code.InvalidArgument for an empty key; Code.NotFound. */
  get(key: string): SnapshotRecord {
    if (key === "") throw invalid("key", "must not be empty");
    const record = this.#records.get(key);
    if (record === undefined) throw missing("snapshot", key);
    return record;
  }

  /** Absolute path of a snapshot's files. */
  pathOf(record: SnapshotRecord): string {
    if (record.folder !== "") return this.#tree(record.folder);
    return this.pathOf(this.get(record.parent));
  }

  /**
   * Makes a writable snapshot.
   *
   * @throws {RpcError} Code.AlreadyExists for a key in use; Code.NotFound for an unknown parent; Code.FailedPrecondition
   * for one that is not committed; Code.Internal when the disk fails.
   */
  prepare(wanted: NewSnapshot): Promise<SnapshotRecord> {
    return this.#make(wanted, "active");
  }

  /** Makes a read-only snapshot. @throws {RpcError} as {@link SnapshotStore.prepare}. */
  view(wanted: NewSnapshot): Promise<SnapshotRecord> {
    return this.#make(wanted, "view");
  }

  /**
   * Freezes an active snapshot under a new key.
   *
   * @throws {RpcError} Code.NotFound; Code.AlreadyExists; Code.FailedPrecondition when it is not active.
   */
  async commit(key: string, activeKey: string, labels: Readonly<Record<string, string>>): Promise<void> {
    if (activeKey === "") throw invalid("active_key", "must not be empty");
    const active = this.get(activeKey);
    this.checkFree(key);
    if (active.kind !== "active") throw wrongState(subject(activeKey), `it is ${active.kind}, not active`);
    this.#records.delete(activeKey);
    this.#records.set(key, { ...active, key, kind: "committed", labels, updatedAt: this.#clock.now() });
    await this.#save();
  }

  /**
   * Removes a snapshot with its files.
   *
   * @throws {RpcError} Code.NotFound; Code.FailedPrecondition while another one builds on it; Code.Internal.
   */
  async remove(key: string): Promise<void> {
    const record = this.get(key);
    const child = this.list(key)[0];
    if (child !== undefined) throw wrongState(subject(key), `the snapshot ${quoted(child.key)} builds on it`);
    if (this.#copying.has(key)) throw wrongState(subject(key), "a snapshot that builds on it is being made");
    this.#records.delete(key);
    await this.#save();
    // From here on it is gone; what a failure leaves on the disk is found by cleanup().
    if (record.folder !== "") await this.#onDisk(() => removeTree(join(this.#root, record.folder)));
  }

  /** What a snapshot occupies by itself: what was added to its parent or changed in it. */
  async usage(key: string): Promise<Usage> {
    const record = this.get(key);
    if (record.folder === "") return { bytes: 0, inodes: 0 };
    const parent = record.parent === "" ? undefined : this.pathOf(this.get(record.parent));
    return this.#onDisk(() => measure(this.pathOf(record), parent));
  }

  /** Removes folders that no snapshot has. @returns The bytes that were freed. */
  async cleanup(): Promise<number> {
    let freed = 0;
    await this.#onDisk(async () => {
      for (const entry of await readdir(this.#root, { withFileTypes: true })) {
        const used = [...this.#records.values()].some(({ folder }) => folder === entry.name);
        if (!entry.isDirectory() || used || [...this.#making.values()].includes(entry.name)) continue;
        const path = join(this.#root, entry.name);
        freed += (await measure(path, undefined)).bytes;
        await removeTree(path);
      }
    });
    return freed;
  }

  async #make({ key, parent, labels }: NewSnapshot, kind: "active" | "view"): Promise<SnapshotRecord> {
    this.checkFree(key);
    const base = parent === "" ? undefined : this.#parent(parent);
    const folder = kind === "view" && base !== undefined ? "" : randomUUID();
    this.#making.set(key, folder);
    this.#hold(parent, 1);
    try {
      if (folder !== "") await this.#onDisk(() => this.#fill(folder, base));
      const now = this.#clock.now();
      const record = { key, parent, kind, labels, folder, createdAt: now, updatedAt: now };
      this.#records.set(key, record);
      await this.#save();
      return record;
    } catch (error) {
      this.#records.delete(key);
      if (folder !== "") await removeTree(join(this.#root, folder)).catch(() => {});
      throw error;
    } finally {
      this.#hold(parent, -1);
      this.#making.delete(key);
    }
  }

  #parent(key: string): SnapshotRecord {
    const record = this.get(key);
    if (record.kind !== "committed")
      throw wrongState(subject(key), `it is ${record.kind}; only committed ones are parents`);
    return record;
  }

  async #fill(folder: string, base: SnapshotRecord | undefined): Promise<void> {
    await mkdir(join(this.#root, folder), { mode: 0o700 });
    await mkdir(this.#tree(folder), { mode: 0o755 });
    if (base !== undefined) await copyTree(this.pathOf(base), this.#tree(folder));
  }

  /** Refuses a key that cannot be given to a new snapshot. @throws {RpcError} Code.AlreadyExists; Code.InvalidArgument. */
  checkFree(key: string): void {
    if (key === "") throw invalid("key", "must not be empty");
    if (Buffer.byteLength(key) > longestKey) throw invalid("key", `is longer than ${longestKey} bytes`);
    if (this.#records.has(key) || this.#making.has(key)) throw exists("snapshot", key);
  }

  #hold(parent: string, by: 1 | -1): void {
    if (parent === "") return;
    const count = (this.#copying.get(parent) ?? 0) + by;
    if (count === 0) this.#copying.delete(parent);
    else this.#copying.set(parent, count);
  }

  #tree(folder: string): string {
    return join(this.#root, folder, "fs");
  }

  #save(): Promise<void> {
    return this.#file.write(() => this.#records.values());
  }

  async #onDisk<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw failure(Code.Internal, `snapshots: ${textOf(error)}`, error);
    }
  }
}

function subject(key: string): string {
  return `snapshots/${key}`;
}
