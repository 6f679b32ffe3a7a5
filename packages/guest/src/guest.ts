// createGuest(): all services of a guest on one state folder, to be registered on any server. Opens no socket.
import { AgentService } from "@guestwire/agent";
import { Bundle as SeedBundle } from "@guestwire/bundle";
import { Bundle } from "@guestwire/bundle/vminitd";
import { createHealth } from "@guestwire/health";
import { MachineService } from "@guestwire/machine";
import { addReflection } from "@guestwire/reflection";
import type { CloseOptions, ServiceRegistry } from "@guestwire/rpc";
import { Stdio } from "@guestwire/stdio";
import { createStreamServer, type StreamServer } from "@guestwire/stdio/streams";
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
import { createJobletServices } from "./joblet/joblet-services.js";
import { prepareGraceMs, shutdownDelayMs, stopGraceMs } from "./limits.js";
import { createMachineService } from "./machine/machine-service.js";
import { MachineStore } from "./machine/machine-store.js";
import type { SshOptions } from "./machine/ssh-info.js";
import { killScope, signalScope } from "./process/scope.js";
import { createRossServices } from "./ross/ross-services.js";
import { createSandboxServices } from "./sandbox/sandbox-services.js";
import { defaultStateDir, openStateFolder, type StateFolder } from "./state/state-folder.js";
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
  /** OCI image layout folders that Ross pulls images from, in the order in which they are asked. Default none. */
  readonly imageLayouts?: readonly string[];
  /** How Joblet names this node. Default the host's name. */
  readonly nodeId?: string;
}

/** A working guest. */
export interface Guest extends AsyncDisposable {
  /** Absolute path of the state folder. */
  readonly stateDir: string;
  /**
   * Resolves when the guest has ended: by {@link Guest.close}, or because a client asked for it (AgentService.Shutdown,
   * Task.Shutdown). Close your server then. Rejects when something could not be ended in order; everything was tried.
   */
  readonly ended: Promise<void>;
  /**
   * The raw streams that Task.Create and Task.Exec name as `stream://N`. Give them an address or connections; they are closed
   * with the guest.
   */
  readonly streams: StreamServer;
  /**
   * Serves all of the guest's services on a server or router, or on several; health (`grpc.health.v1`) and reflection
   * (`grpc.reflection.v1` and `v1alpha`) too.
   */
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
  try {
    return await openGuest(folder, options);
  } catch (error) {
    folder.release();
    throw error;
  }
}

async function openGuest(folder: StateFolder, options: GuestOptions): Promise<Guest> {
  // What a guest that was killed left behind; nobody could reach it any more.
  await killScope(folder.token);
  const clock = createClock();
  const bus = createEventBus(clock);
  const machines = await MachineStore.open(folder, clock);
  const streams = createStreamServer();
  const containers = new ContainerStore({ token: folder.token, clock, bus, streams });
  const bundles = createBundleStore(folder.bundles, folder.scratch);
  const { imageLayouts: layouts = [], nodeId } = options;
  const ross = await createRossServices({ folder, clock, layouts });
  const joblet = await createJobletServices({ folder, clock, ...(nodeId !== undefined && { nodeId }) });
  const sandboxes = await createSandboxServices({ folder, clock });
  const health = createHealth();
  const hurry = new AbortController();
  const ended = Promise.withResolvers<void>();
  // Whoever closes the guest hears of it, and need not wait for this as well.
  ended.promise.catch(() => {});
  let closing = false;
  // Whatever ends this process without closing the guest: nothing that it started may stay behind.
  const lastResort = (): void => void signalScope(folder.token, 9);
  process.once("exit", lastResort);

  const end = async (graceMs: number): Promise<void> => {
    try {
      // Whoever balances over several guests sends nothing more from here on.
      health.shutdown();
      // What goes wrong in one part must not cut the others short.
      const parts = await Promise.allSettled([
        containers.stopAll(graceMs, hurry.signal),
        machines.stopAll(graceMs, hurry.signal),
        ross.close(graceMs, hurry.signal),
        joblet.close(graceMs, hurry.signal),
        sandboxes.close(graceMs, hurry.signal),
        streams.close(),
      ]);
      containers.close();
      health.close();
      bus.close();
      await killScope(folder.token);
      for (const part of parts) if (part.status === "rejected") throw part.reason;
    } finally {
      process.removeListener("exit", lastResort);
      folder.release();
    }
  };
  const close = ({ graceMs = stopGraceMs }: CloseOptions = {}): Promise<void> => {
    if (graceMs === 0) hurry.abort();
    if (!closing) {
      closing = true;
      end(graceMs).then(ended.resolve, ended.reject);
    }
    return ended.promise;
  };
  const requestShutdown = (graceMs: number = stopGraceMs): void => {
    setTimeout(() => close({ graceMs }).catch(() => {}), shutdownDelayMs);
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
    streams,
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
      ross.register(registry);
      joblet.register(registry);
      sandboxes.register(registry);
      addReflection(registry);
      health.register(registry);
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
