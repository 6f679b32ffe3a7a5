// All machines of a guest by their names; found again after a restart, as records that do not run.
import { readdir, statfs } from "node:fs/promises";
import type { CreateMachineRequest } from "@guestwire/machine";
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import { exists, failure, missing } from "../errors.js";
import type { StateFolder } from "../state/state-folder.js";
import { Machine } from "./machine.js";
import { machinePaths, makeMachineFolder } from "./machine-folder.js";
import { newRecord, readRecord } from "./machine-record.js";

/** The machines of one guest. */
export class MachineStore {
  readonly #machines = new Map<string, Machine>();
  readonly #folder: StateFolder;
  readonly #clock: GuestClock;
  #closed = false;

  private constructor(folder: StateFolder, clock: GuestClock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Opens the store with the machines that are there. */
  static async open(folder: StateFolder, clock: GuestClock): Promise<MachineStore> {
    const store = new MachineStore(folder, clock);
    for (const name of await readdir(folder.machines)) {
      const paths = machinePaths(folder.machines, name);
      const record = await readRecord(paths.record);
      // A folder without a record is no machine; it stays where it is for people to look at.
      if (record?.name === name) store.#add(new Machine(record, paths, folder.token, clock));
    }
    return store;
  }

  /** All machines in the order of their creation. */
  get all(): Machine[] {
    return [...this.#machines.values()].sort((a, b) => a.record.createdAt - b.record.createdAt);
  }

  /** @throws {RpcError} Code.NotFound. */
  get(id: string): Machine {
    const machine = this.#machines.get(id);
    if (machine === undefined) throw missing("machine", id);
    return machine;
  }

  /** @throws {RpcError} Code.AlreadyExists; Code.InvalidArgument; Code.Unimplemented; Code.Internal. */
  async create(request: CreateMachineRequest): Promise<Machine> {
    this.refuseWhenClosed();
    const { machines, scratch, token } = this.#folder;
    const { bavail, bsize } = await statfs(machines, { bigint: true });
    const record = await newRecord(request, bavail * bsize, this.#clock.now());
    if (this.#machines.has(record.name)) throw exists("machine", record.name);
    await makeMachineFolder(machines, scratch, record);
    const machine = new Machine(record, machinePaths(machines, record.name), token, this.#clock);
    this.#add(machine);
    return machine;
  }

  /** @throws {RpcError} Code.FailedPrecondition when it runs and `force` is not set. */
  async remove(machine: Machine, force: boolean): Promise<void> {
    await machine.remove(force);
    this.#machines.delete(machine.name);
  }

  /** @throws {RpcError} Code.FailedPrecondition once the guest shuts down. */
  refuseWhenClosed(): void {
    if (this.#closed) throw failure(Code.FailedPrecondition, "the guest is shutting down");
  }

  /** Ends all machines; none starts any more. */
  async stopAll(graceMs: number, hurry?: AbortSignal): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#machines.values()].map((machine) => machine.ensureStopped(graceMs, hurry)));
  }

  #add(machine: Machine): void {
    this.#machines.set(machine.name, machine);
  }
}
