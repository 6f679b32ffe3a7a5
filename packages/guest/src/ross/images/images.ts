// Opens everything that the image and the snapshot service need, on one folder.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ImageService, SnapshotterService } from "@guestwire/ross";
import type { ServiceRegistry } from "@guestwire/rpc";
import type { GuestClock } from "../../clock.js";
import type { ImageLookup, ImageUsers } from "../image-lookup.js";
import { SnapshotStore } from "../snapshots/snapshot-store.js";
import { createSnapshotterService } from "../snapshots/snapshotter-service.js";
import { BlobStore } from "./blob-store.js";
import { createImageService } from "./image-service.js";
import { ImageStore } from "./image-store.js";
import { Layout } from "./layout.js";

/** What images are opened with. */
export interface ImagesOptions {
  /** Their folder; made where it is missing. */
  readonly folder: string;
  /** An empty folder on the same file system. */
  readonly scratch: string;
  readonly clock: GuestClock;
  /** OCI image layouts to pull from, in the order in which they are asked. */
  readonly layouts: readonly string[];
}

/** Images and snapshots of a guest. */
export interface Images {
  readonly lookup: ImageLookup;
  /** Serves ross.ImageService and ross.SnapshotterService. */
  register(registry: ServiceRegistry, users: ImageUsers): void;
}

/** Opens the stores. @throws {RpcError} Code.FailedPrecondition when a record cannot be read. */
export async function openImages({ folder, scratch, clock, layouts }: ImagesOptions): Promise<Images> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const blobs = await BlobStore.open(join(folder, "blobs"), scratch);
  const snapshots = await SnapshotStore.open(join(folder, "snapshots"), clock);
  const images = await ImageStore.open({ folder, blobs, snapshots });
  const opened = layouts.map((path) => new Layout(path));
  const home = { folder, blobs, snapshots, images, layouts: opened, now: () => clock.now() };
  return {
    lookup: images,
    register(registry, users) {
      registry
        .service(ImageService, createImageService(home, users))
        .service(SnapshotterService, createSnapshotterService(snapshots, blobs));
    },
  };
}
