// createSandboxServices(): ArcBox's sandboxes on a plain host, in one folder. Opens no socket.
import { join } from "node:path";
import type { ServiceRegistry } from "@guestwire/rpc";
import { SandboxService, SandboxSnapshotService } from "@guestwire/sandbox";
import type { GuestClock } from "../clock.js";
import type { StateFolder } from "../state/state-folder.js";
import { createSandboxService, createSandboxSnapshotService } from "./sandbox-service.js";
import { SandboxStore } from "./sandbox-store.js";

/** What the sandbox services are made of. */
export interface SandboxServicesOptions {
  /** The guest's state folder; they have the folder `sandbox` in it. */
  readonly folder: Pick<StateFolder, "path" | "token" | "scratch">;
  readonly clock: GuestClock;
}

/** The sandbox services of a guest. */
export interface SandboxServices {
  /** Serves them on a server or router, or on several. */
  register(registry: ServiceRegistry): void;
  /**
   * Ends all sandboxes and takes no new ones: SIGTERM, after `graceMs` SIGKILL. They stay as records, their files too.
   *
   * @param hurry Cuts the grace short.
   */
  close(graceMs: number, hurry?: AbortSignal): Promise<void>;
}

/** Opens the sandbox services with the sandboxes and snapshots that are there. @throws the system's error. */
export async function createSandboxServices({ folder, clock }: SandboxServicesOptions): Promise<SandboxServices> {
  const sandboxes = await SandboxStore.open(join(folder.path, "sandbox"), folder, clock);
  const service = createSandboxService(sandboxes);
  const snapshotService = createSandboxSnapshotService(sandboxes);
  return {
    register(registry) {
      registry.service(SandboxService, service).service(SandboxSnapshotService, snapshotService);
    },
    close: (graceMs, hurry) => sandboxes.close(graceMs, hurry),
  };
}
