// createGuest(): all services of a guest on one state folder, to be registered on any server. Opens no socket.
import { AgentService } from "@guestwire/agent";
import { Bundle as SeedBundle } from "@guestwire/bundle";
import { Bundle } from "@guestwire/bundle/vminitd";
import { MachineService } from "@guestwire/machine";
import type { CloseOptions, ServiceRegistry } from "@guestwire/rpc";
import { Stdio } from "@guestwire/stdio";
import { StdIO } from "@guestwire/stdio/vminitd";
import { SystemInfo } from "@guestwire/system";
import { System } from "@guestwire/system/vminitd";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { createAgentService } from "./agent/agent-service.js";
import { createRuntime, type RuntimeOptions } from "./agent/runtime.js";
import { createBundleService, createSeedBundleService } from "./bundle/bundle-service.js";
import { createBundleStore } from "./bundle/bundle-store.js";
import { createClock } from "./clock.js";
import { createEventBus } from "./events/event-bus.js";
import { createEventsService } from "./events/events-service.js";
import { prepareGraceMs, shutdownDelayMs, stopGraceMs } from "./limits.js";
import { createMachineService } from "./machine/machine-service.js";
import { MachineStore } from "./machine/machine-store.js";
import type { SshOptions } from "./machine/ssh-info.js";
import { killScope, signalScope } from "./process/scope.js";
import { defaultStateDir, openStateFolder } from "./state/state-folder.js";
import { createSeedStdioService, createStdIOService } from "./stdio/stdio-service.js";
import { createFilesystems, type FilesystemFreezer, noFreezer } from "./system/filesystems.js";
import { createHardware } from "./system/hardware.js";
import { createSystemInfoService, createSystemService } from "./system/system-service.js";
import { ContainerStore } from "./task/container-store.js";
import { createTaskService } from "./task/task-service.js";

/** How a guest is set up. */
export interface GuestOptions {
  /**
   * The folder for everything that the guest keeps; made with mode 0700 where it is missing. One guest at a time uses it.
   * Default `$XDG_STATE_HOME/guestwire/guest`, or `~/.local/state/guestwire/guest`.
   */
  readonly stateDir?: string;
  /** Where the container runtime is. Default: the usual paths of dockerd and containerd, and no way to start them. */
  readonly runtime?: RuntimeOptions;
  /** Where the host's SSH server is. Default 127.0.0.1, port 22. */
  readonly ssh?: SshOptions;
  /** Whether clients may take the host's CPUs and memory in and out of use, which needs root as well. Default false. */
  readonly manageHardware?: boolean;
  /** Where sysfs is. Default "/sys". */
  readonly sysRoot?: string;
  /** Freezes file systems for the System service. Default: none, every freeze of an ext4 mount fails. */
  readonly freezer?: FilesystemFreezer;
}

/** A working guest. */
export interface Guest extends AsyncDisposable {
  /** Absolute path of the state folder. */
  readonly stateDir: string;
  /**
   * Resolves when the guest has ended: by {@link Guest.close}, or because a client asked for it (AgentService.Shutdown,
   * Task.Shutdown). Close your server then.
   */
  readonly ended: Promise<void>;
  /** Serves all of the guest's services on a server or router, or on several. */
  register(registry: ServiceRegistry): void;
  /**
   * Ends the guest: all processes and machines get SIGTERM and after `graceMs` (default 5,000) SIGKILL, their ends are
   * published, all streams end. A second call with `graceMs: 0` cuts the grace of the first short.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Opens a guest.
 *
 * @throws {RpcError} Code.FailedPrecondition when the state folder cannot be used or another guest uses it.
 *
 * @example
 * await using guest = await createGuest({ stateDir: "/var/tmp/my-guest" });
 * await using server = serve();
 * guest.register(server);
 * await server.listen("unix:///run/user/1000/my-guest.sock");
 */
export async function createGuest(options: GuestOptions = {}): Promise<Guest> {
  const folder = await openStateFolder(options.stateDir ?? defaultStateDir());
  // What a guest that was killed left behind; nobody could reach it any more.
  await killScope(folder.token);
  const clock = createClock();
  const bus = createEventBus(clock);
  const machines = await MachineStore.open(folder, clock);
  const containers = new ContainerStore({ token: folder.token, clock, bus });
  const bundles = createBundleStore(folder.bundles, folder.scratch);
  const hurry = new AbortController();
  const ended = Promise.withResolvers<void>();
  let closing = false;
  // Whatever ends this process without closing the guest: nothing that it started may stay behind.
  const lastResort = (): void => void signalScope(folder.token, 9);
  process.once("exit", lastResort);

  const end = async (graceMs: number): Promise<void> => {
    try {
      await Promise.all([containers.stopAll(graceMs, hurry.signal), machines.stopAll(graceMs, hurry.signal)]);
      containers.close();
      bus.close();
      await killScope(folder.token);
    } finally {
      process.removeListener("exit", lastResort);
      folder.release();
      ended.resolve();
    }
  };
  const close = ({ graceMs = stopGraceMs }: CloseOptions = {}): Promise<void> => {
    if (graceMs === 0) hurry.abort();
    if (!closing) {
      closing = true;
      void end(graceMs);
    }
    return ended.promise;
  };
  const requestShutdown = (graceMs: number = stopGraceMs): void => {
    setTimeout(() => void close({ graceMs }), shutdownDelayMs);
  };
  const { manageHardware = false, sysRoot = "/sys", freezer = noFreezer } = options;
  const system = {
    hardware: createHardware({ allowed: manageHardware, sysRoot }),
    filesystems: createFilesystems(freezer),
    prepareShutdown: () => containers.stopAll(prepareGraceMs, hurry.signal),
  };
  const runtime = createRuntime(options.runtime);

  return {
    stateDir: folder.path,
    ended: ended.promise,
    register(registry) {
      registry
        .service(Bundle, createBundleService(bundles))
        .service(SeedBundle, createSeedBundleService(bundles))
        .service(StdIO, createStdIOService(containers))
        .service(Stdio, createSeedStdioService(containers))
        .service(Events, createEventsService(bus))
        .service(Task, createTaskService(containers, requestShutdown))
        .service(System, createSystemService(system))
        .service(SystemInfo, createSystemInfoService())
        .service(AgentService, createAgentService({ clock, runtime, requestShutdown }))
        .service(MachineService, createMachineService(machines, options.ssh ?? {}));
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
