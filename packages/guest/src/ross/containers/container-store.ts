// All Ross containers of a guest by their ids and names; found again after a restart, as records that do not run.
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { CreateContainerRequest } from "@guestwire/ross";
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import { exists, failure, invalid, missing } from "../../errors.js";
import type { ImageLookup, ImageUsers } from "../image-lookup.js";
import { isImageId, parseImageReference } from "../image-reference.js";
import { containerPaths, makeContainerFolder, writeContainerRecord } from "./container-paths.js";
import { afterCrash, readContainerRecord } from "./container-record.js";
import type { ContainerPlace } from "./container-types.js";
import { checkContainerName, newContainerRecord } from "./new-record.js";
import { RossContainer } from "./ross-container.js";

/** Where containers are kept. */
export interface RossContainerHome {
  /** The folder of the Ross services. */
  readonly folder: string;
  /** For things half made; on the same file system. */
  readonly scratch: string;
  readonly token: string;
  readonly clock: GuestClock;
}

// Shorter beginnings of ids are no abbreviation but a mistake.
const shortestPrefix = 4;

/** The containers of one guest. */
export class RossContainerStore implements ImageUsers {
  readonly #containers = new Map<string, RossContainer>();
  // Names of containers that are being made.
  readonly #making = new Set<string>();
  readonly #folder: string;
  readonly #home: RossContainerHome;
  readonly #images: ImageLookup;
  #closed = false;

  private constructor(folder: string, home: RossContainerHome, images: ImageLookup) {
    this.#folder = folder;
    this.#home = home;
    this.#images = images;
  }

  /** Opens the store with the containers that are there. */
  static async open(home: RossContainerHome, images: ImageLookup): Promise<RossContainerStore> {
    const folder = join(home.folder, "containers");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const store = new RossContainerStore(folder, home, images);
    for (const id of await readdir(folder)) {
      const paths = containerPaths(folder, id);
      const found = await readContainerRecord(paths.record);
      // A folder without a record is no container; it stays where it is for people to look at.
      if (found?.id !== id) continue;
      const record = afterCrash(found, home.clock.now());
      if (record !== found) await writeContainerRecord(paths, record);
      store.#containers.set(id, new RossContainer(record, paths, store.#place));
    }
    return store;
  }

  /** All containers, the newest first. */
  get all(): RossContainer[] {
    return [...this.#containers.values()].sort((a, b) => b.record.createdAt - a.record.createdAt);
  }

  get closed(): boolean {
    return this.#closed;
  }

  containersOf(imageId: string): readonly string[] {
    return this.all.filter(({ record }) => record.imageId === imageId).map(({ id }) => id);
  }

  /**
   * Finds a container by its id, its name, or a beginning of its id that no other one has.
   *
   * @throws {RpcError} Code.InvalidArgument when the text is empty; Code.NotFound.
   */
  get(idOrName: string): RossContainer {
    if (idOrName === "") throw invalid("container_id", "must not be empty");
    const exact = this.#containers.get(idOrName) ?? this.#byName(idOrName);
    if (exact !== undefined) return exact;
    const matching = idOrName.length < shortestPrefix ? [] : this.all.filter(({ id }) => id.startsWith(idOrName));
    const [first] = matching;
    if (first === undefined) throw missing("container", idOrName, "there is none of that id or name");
    if (matching.length > 1) throw invalid("container_id", `${idOrName} is the beginning of several ids`);
    return first;
  }

  /** The container that has recorded a command. @throws {RpcError} Code.InvalidArgument, Code.NotFound. */
  withExec(execId: string): RossContainer {
    if (execId === "") throw invalid("exec_id", "must not be empty");
    const found = this.all.find(({ execs }) => execs.has(execId));
    if (found === undefined) throw missing("exec", execId, "no container has it recorded");
    return found;
  }

  /**
   * Makes a container.
   *
   * @throws {RpcError} Code.InvalidArgument naming the field that is wrong; Code.NotFound when the image is not present;
   * Code.AlreadyExists for a name in use; Code.FailedPrecondition once the guest shuts down; Code.Internal.
   */
  async create(request: CreateContainerRequest): Promise<{ readonly id: string; readonly warnings: string[] }> {
    this.refuseWhenClosed();
    if (request.config === undefined) throw invalid("config", "must be set");
    const reference = request.config.image;
    if (!isImageId(reference)) parseImageReference(reference, "config.image");
    const image = await this.#images.resolve(reference);
    if (image === undefined) throw missing("image", reference, "it is not present; pull it first");
    const { record, warnings } = newContainerRecord(request, image, this.#home.clock.now());
    await this.#claim(record.name, "name", async () => {
      await makeContainerFolder(this.#folder, this.#home.scratch, record, image.rootfs);
      this.#containers.set(record.id, new RossContainer(record, containerPaths(this.#folder, record.id), this.#place));
    });
    return { id: record.id, warnings };
  }

  /** Gives a container another name. @throws {RpcError} Code.InvalidArgument, Code.AlreadyExists. */
  async rename(container: RossContainer, name: string): Promise<void> {
    checkContainerName(name, "new_name");
    if (container.record.name === name) return;
    await this.#claim(name, "new_name", () => container.rename(name));
  }

  /** Removes a container. @throws {RpcError} as {@link RossContainer.remove}. */
  async remove(container: RossContainer, force: boolean): Promise<void> {
    await container.remove(force);
    this.#containers.delete(container.id);
  }

  /** @throws {RpcError} Code.FailedPrecondition once the guest shuts down. */
  refuseWhenClosed(): void {
    if (this.#closed) throw failure(Code.FailedPrecondition, "the guest is shutting down");
  }

  /** Ends all containers; none starts any more. */
  async stopAll(graceMs: number, hurry?: AbortSignal): Promise<void> {
    this.#closed = true;
    await Promise.all(this.all.map((container) => container.ensureStopped(graceMs, hurry).catch(() => {})));
  }

  async #claim(name: string, field: string, use: () => Promise<void>): Promise<void> {
    if (this.#byName(name) !== undefined || this.#making.has(name)) {
      throw exists("container", name, `the ${field === "name" ? "name" : "new name"} is in use`);
    }
    this.#making.add(name);
    try {
      await use();
    } finally {
      this.#making.delete(name);
    }
  }

  #byName(name: string): RossContainer | undefined {
    return this.all.find(({ record }) => record.name === name);
  }

  get #place(): ContainerPlace {
    return {
      token: this.#home.token,
      scratch: this.#home.scratch,
      clock: this.#home.clock,
      closed: () => this.#closed,
      // It may be being removed already.
      discard: (id) => {
        const container = this.#containers.get(id);
        if (container !== undefined) void this.remove(container, true).catch(() => {});
      },
    };
  }
}
