// The images of a guest: what they are and by which names they are found. Kept in one file; blobs and layers lie in their
// own stores, and go with the last image that needs them.
import { join } from "node:path";
import { missing, quoted, wrongState } from "../../errors.js";
import { RecordFile } from "../../state/record-file.js";
import type { ImageLookup, ImageUsers, ResolvedImage } from "../image-lookup.js";
import { isImageId, parseImageReference } from "../image-reference.js";
import type { SnapshotStore } from "../snapshots/snapshot-store.js";
import type { BlobStore } from "./blob-store.js";
import { chainId } from "./digest.js";
import { familiar } from "./names.js";
import type { Configuration, Descriptor } from "./oci.js";

/** What is kept of an image. */
export interface ImageRecord {
  /** Digest of its configuration. */
  readonly id: string;
  /** Digest of its manifest. */
  readonly manifest: string;
  readonly layers: readonly Descriptor[];
  readonly configuration: Configuration;
  /** As "alpine:3.20". */
  readonly tags: readonly string[];
  /** As "alpine@sha256:…". */
  readonly digests: readonly string[];
  /** When it was pulled, in milliseconds since 1970. */
  readonly pulledAt: number;
}

/** What a removal did. */
export interface Removal {
  readonly deleted: readonly string[];
  readonly untagged: readonly string[];
}

/** What the images lie in. */
export interface ImageHome {
  /** Folder of the record. */
  readonly folder: string;
  readonly blobs: BlobStore;
  readonly snapshots: SnapshotStore;
}

/** The images of one guest. */
export class ImageStore implements ImageLookup {
  readonly #home: ImageHome;
  readonly #images = new Map<string, ImageRecord>();
  // Digests that a pull under way needs.
  readonly #pinned = new Map<string, number>();
  readonly #file: RecordFile<ImageRecord>;

  private constructor(home: ImageHome) {
    this.#home = home;
    this.#file = new RecordFile(join(home.folder, "images.json"));
  }

  /** Opens the store with the images that are there. */
  static async open(home: ImageHome): Promise<ImageStore> {
    const store = new ImageStore(home);
    for (const image of await store.#file.read()) store.#images.set(image.id, image);
    return store;
  }

  /** All images, newest first. */
  get all(): ImageRecord[] {
    return [...this.#images.values()].sort((a, b) => b.pulledAt - a.pulledAt);
  }

  /** Finds an image by a name or by its id or the beginning of that, as containers ask for it. */
  resolve(reference: string): ResolvedImage | undefined {
    const image = this.#find(reference, "image");
    return image && { id: image.id, config: image.configuration, rootfs: this.#rootfs(image) };
  }

  /**
   * Finds an image by a name or an id.
   *
   * @param field How errors name it.
   * @throws {RpcError} Code.InvalidArgument when the name is empty or malformed; Code.NotFound.
   */
  get(reference: string, field: string): ImageRecord {
    const image = this.#find(reference, field);
    if (image === undefined) throw missing("image", reference);
    return image;
  }

  /** Adds an image, or more names to one that is there. A tag that another image has moves to this one. */
  async add(image: ImageRecord): Promise<void> {
    const known = this.#images.get(image.id);
    const merged = {
      ...image,
      tags: union(known?.tags, image.tags),
      digests: union(known?.digests, image.digests),
    };
    for (const other of this.#images.values()) {
      if (other.id === image.id || !other.tags.some((tag) => image.tags.includes(tag))) continue;
      this.#images.set(other.id, { ...other, tags: other.tags.filter((tag) => !image.tags.includes(tag)) });
    }
    this.#images.set(image.id, merged);
    await this.#save();
  }

  /** Gives an image one more name. */
  async tag(image: ImageRecord, repository: string, tag: string): Promise<void> {
    await this.add({ ...image, tags: [`${familiar(repository)}:${tag || "latest"}`], digests: [] });
  }

  /**
   * Removes a name, and with the last one the image; by its id, all of it.
   *
   * @param force Also where containers were made from it, and by its id also where it has several names.
   * @throws {RpcError} Code.InvalidArgument; Code.NotFound; Code.FailedPrecondition.
   */
  async remove(reference: string, force: boolean, users: ImageUsers): Promise<Removal> {
    const image = this.get(reference, "image_id");
    const name = this.#nameIn(image, reference);
    const left = image.tags.filter((tag) => tag !== name);
    if (name !== undefined && left.length > 0) {
      this.#images.set(image.id, { ...image, tags: left });
      await this.#save();
      return { deleted: [], untagged: [name] };
    }
    if (name === undefined && image.tags.length > 1 && !force) {
      throw wrongState(`images/${image.id}`, `it has the names ${image.tags.join(", ")}; remove them, or use force`);
    }
    const containers = users.containersOf(image.id);
    if (containers.length > 0 && !force) {
      throw wrongState(`images/${image.id}`, `the container ${quoted(containers[0] ?? "")} was made from it`);
    }
    this.#images.delete(image.id);
    await this.#save();
    await this.#sweep(image);
    return { deleted: [image.id], untagged: [...image.tags, ...image.digests] };
  }

  /** Keeps content from being removed while a pull needs it; call what is returned at its end. */
  pin(digests: Iterable<string>): () => void {
    const held = [...digests];
    for (const digest of held) this.#pinned.set(digest, (this.#pinned.get(digest) ?? 0) + 1);
    return () => {
      for (const digest of held) {
        const left = (this.#pinned.get(digest) ?? 0) - 1;
        if (left > 0) this.#pinned.set(digest, left);
        else this.#pinned.delete(digest);
      }
    };
  }

  #find(reference: string, field: string): ImageRecord | undefined {
    if (isImageId(reference)) {
      const whole = reference.startsWith("sha256:") ? reference : `sha256:${reference}`;
      const found = [...this.#images.values()].filter(({ id }) => id.startsWith(whole));
      if (found.length === 1) return found[0];
      if (reference.startsWith("sha256:")) return undefined;
    }
    const { repository, tag, digest } = parseImageReference(reference, field);
    const short = familiar(repository);
    return [...this.#images.values()].find(({ tags, digests }) =>
      digest === "" ? tags.includes(`${short}:${tag || "latest"}`) : digests.includes(`${short}@${digest}`),
    );
  }

  /** The tag that a reference means; `undefined` where it is an id or a digest. */
  #nameIn(image: ImageRecord, reference: string): string | undefined {
    if (reference.includes("@") || reference.startsWith("sha256:")) return undefined;
    const { repository, tag } = parseImageReference(reference, "image_id");
    const name = `${familiar(repository)}:${tag || "latest"}`;
    return image.tags.includes(name) ? name : undefined;
  }

  #rootfs({ configuration: { diffIds } }: ImageRecord): string | undefined {
    const { snapshots } = this.#home;
    const key = chainOf(diffIds).at(-1);
    return key !== undefined && snapshots.has(key) ? snapshots.pathOf(snapshots.get(key)) : undefined;
  }

  /** Removes what only this image needed. What cannot be removed, as a layer that a client builds on, stays. */
  async #sweep(gone: ImageRecord): Promise<void> {
    const needed = new Set(this.#pinned.keys());
    for (const image of this.#images.values()) for (const digest of contentOf(image)) needed.add(digest);
    const { blobs, snapshots } = this.#home;
    for (const key of chainOf(gone.configuration.diffIds).reverse()) {
      if (!needed.has(key) && snapshots.has(key)) await snapshots.remove(key).catch(() => {});
    }
    for (const digest of [gone.id, gone.manifest, ...gone.layers.map((layer) => layer.digest)]) {
      if (!needed.has(digest)) await blobs.remove(digest);
    }
  }

  #save(): Promise<void> {
    return this.#file.write(() => this.#images.values());
  }
}

/** The keys of the snapshots of an image's layers, base first. */
export function chainOf(diffIds: readonly string[]): string[] {
  const keys: string[] = [];
  for (const diffId of diffIds) keys.push(chainId(keys.at(-1) ?? "", diffId));
  return keys;
}

/** Everything that an image needs: blobs by their digests, snapshots by their keys. */
export function contentOf({ id, manifest, layers, configuration }: Omit<ImageRecord, "pulledAt">): string[] {
  return [id, manifest, ...layers.map(({ digest }) => digest), ...chainOf(configuration.diffIds)];
}

function union(some: readonly string[] = [], more: readonly string[]): string[] {
  return [...new Set([...some, ...more])];
}
