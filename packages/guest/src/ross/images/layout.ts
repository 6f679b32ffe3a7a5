// OCI image layouts: folders that hold images as registries do, by their names. Only reads; writes and keeps nothing.
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { Code } from "@guestwire/rpc";
import { failure, isSystemError, textOf } from "../../errors.js";
import type { ImageReference } from "../image-reference.js";
import type { BlobSource } from "./blob-store.js";
import { digestOf, hexOf, mismatch } from "./digest.js";
import { familiar, familiarName } from "./names.js";
import {
  type Descriptor,
  documentBytes,
  isIndex,
  isManifest,
  type Manifest,
  parseIndex,
  parseManifest,
} from "./oci.js";

/** An image in a layout. */
export interface FoundImage {
  readonly layout: Layout;
  readonly manifest: Manifest;
  readonly manifestBlob: BlobSource;
}

/** A name in a layout, with what it leads to. */
export interface LayoutEntry {
  /** In the short form: "alpine". */
  readonly repository: string;
  /** Empty where it has none. */
  readonly tag: string;
  readonly descriptor: Descriptor;
}

// How deep lists may lie in lists.
const deepest = 4;
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** The platform of this host, as images name it. */
export const hostPlatform: string = `linux/${architectures[process.arch] ?? process.arch}`;

/** One layout. */
export class Layout {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /**
   * All names of the layout. An entry is named by its annotation; one that only has a tag belongs to the repository with the
   * name of the layout's folder.
   *
   * @throws {RpcError} Code.FailedPrecondition when the folder is no layout; Code.Internal when it is broken.
   */
  async entries(): Promise<LayoutEntry[]> {
    if (!existsSync(join(this.path, "oci-layout"))) {
      throw failure(Code.FailedPrecondition, `${this.path} is no OCI image layout: it has no file oci-layout`);
    }
    const index = join(this.path, "index.json");
    const descriptors = parseIndex(await readDocument(index), index);
    return descriptors.map((descriptor) => ({ ...this.#nameOf(descriptor), descriptor }));
  }

  /** Finds an image for this host; `undefined` where the name is unknown here. */
  async find({ repository, tag, digest }: ImageReference): Promise<FoundImage | undefined> {
    const wanted = familiar(repository);
    const named = (await this.entries()).filter((entry) => entry.repository === wanted);
    const matching = named.filter((entry) =>
      digest === "" ? entry.tag === (tag || "latest") : entry.descriptor.digest === digest,
    );
    if (matching.length === 0) return undefined;
    const manifests: Descriptor[] = [];
    for (const { descriptor } of matching) manifests.push(...(await this.#manifests(descriptor, 0)));
    const fitting = manifests.find(({ platform }) => platform === hostPlatform || platform === "");
    if (fitting === undefined) {
      const others = manifests.map(({ platform }) => platform).join(", ");
      throw failure(Code.NotFound, `the image is there for ${others || "nothing"}, not for ${hostPlatform}`);
    }
    const manifestBlob = this.blob(fitting);
    return { layout: this, manifestBlob, manifest: parseManifest(await this.read(fitting), manifestBlob.path) };
  }

  /** Where content of the layout lies. */
  blob({ digest, size }: Descriptor): BlobSource {
    return { digest, size, path: join(this.path, "blobs", "sha256", hexOf(digest, "digest")) };
  }

  /** Reads a document of the layout. @throws when it is missing, too large or not what its digest says. */
  async read(descriptor: Descriptor): Promise<Buffer> {
    const { path, digest } = this.blob(descriptor);
    const bytes = await readDocument(path);
    const found = digestOf(bytes);
    if (found !== digest) throw mismatch(path, found, digest);
    return bytes;
  }

  async #manifests(descriptor: Descriptor, depth: number): Promise<Descriptor[]> {
    if (isManifest(descriptor.mediaType)) return [descriptor];
    if (!isIndex(descriptor.mediaType) || depth === deepest) return [];
    const inner = parseIndex(await this.read(descriptor), this.blob(descriptor).path);
    const found: Descriptor[] = [];
    for (const entry of inner) found.push(...(await this.#manifests(entry, depth + 1)));
    return found;
  }

  #nameOf({ annotations }: Descriptor): { repository: string; tag: string } {
    const name = annotations["org.opencontainers.image.ref.name"] ?? "";
    const full = annotations["io.containerd.image.name"] ?? (/[:/@]/.test(name) ? name : undefined);
    if (full !== undefined) return familiarName(full);
    return { repository: familiar(basename(this.path).toLowerCase()), tag: name };
  }
}

async function readDocument(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > documentBytes) throw new Error(`it has ${size} bytes; a document may have ${documentBytes}`);
    return await readFile(path);
  } catch (error) {
    const code = isSystemError(error, "ENOENT") ? Code.NotFound : Code.Internal;
    throw failure(code, `${path}: ${textOf(error)}`, error);
  }
}
