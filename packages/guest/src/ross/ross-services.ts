// createRossServices(): everything of Ross that a plain host can do, on one folder. Opens no socket.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ContainerService, Ross } from "@guestwire/ross";
import type { ServiceRegistry } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import type { StateFolder } from "../state/state-folder.js";
import { createContainerService } from "./containers/container-service.js";
import { RossContainerStore } from "./containers/container-store.js";
import type { ImageLookup } from "./image-lookup.js";
import { openImages } from "./images/images.js";
import { createRossService } from "./ross-service.js";

/** What the Ross services are made of. */
export interface RossServicesOptions {
  /** The guest's state folder; Ross has the folder `ross` in it. */
  readonly folder: Pick<StateFolder, "path" | "token" | "scratch">;
  readonly clock: GuestClock;
  /** OCI image layouts to pull from, in the order in which they are asked. Default none: nothing can be pulled. */
  readonly layouts?: readonly string[];
  /** Where containers look for images, in place of the image service, which is not served then. For tests. */
  readonly images?: ImageLookup;
}

/** The Ross services of a guest. */
export interface RossServices {
  /** Serves them on a server or router, or on several. */
  register(registry: ServiceRegistry): void;
  /**
   * Ends all containers and takes no new ones: SIGTERM, after `graceMs` SIGKILL. They stay as records.
   *
   * @param hurry Cuts the grace short.
   */
  close(graceMs: number, hurry?: AbortSignal): Promise<void>;
}

/**
 * Opens the Ross services with the containers, images and snapshots that are there.
 *
 * @throws {RpcError} Code.FailedPrecondition when a record of the images cannot be read.
 */
export async function createRossServices(options: RossServicesOptions): Promise<RossServices> {
  const { folder, clock, layouts = [] } = options;
  const home = { folder: join(folder.path, "ross"), scratch: folder.scratch, token: folder.token, clock };
  await mkdir(home.folder, { recursive: true, mode: 0o700 });
  const images =
    options.images === undefined
      ? await openImages({ folder: join(home.folder, "images"), scratch: folder.scratch, clock, layouts })
      : { lookup: options.images, register: () => {} };
  const containers = await RossContainerStore.open(home, images.lookup);
  return {
    register(registry) {
      registry
        .service(
          Ross,
          createRossService(() => !containers.closed),
        )
        .service(ContainerService, createContainerService(containers));
      images.register(registry, containers);
    },
    close: (graceMs, hurry) => containers.stopAll(graceMs, hurry),
  };
}
