// A VM with a vhost-user vsock device whose command is our guest, as Firecracker and its like run one: the host reaches it
// through a unix socket. Checks nothing.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type BootOptions, type BootTime, bootVm, type Vm } from "../boot.js";
import type { VmParts } from "../parts.js";
import { startTied } from "../tied-child.js";

/** The ports on which the guest listens. */
export const guestPorts = { ttrpc: 1025, grpc: 1030 } as const;

/** A guest in a VM. Disposing it kills both the VM and the daemon behind its device. */
export interface GuestVm extends AsyncDisposable {
  readonly vm: Vm;
  /** How long the VM took to its command. */
  readonly boot: BootTime;
  /** Resolves once the guest listens on all ports, with the time since the VM was started, in milliseconds. */
  readonly listening: Promise<number>;
}

/** The socket through which the guest of this folder is reached. */
export function guestSocket(folder: string): string {
  return join(folder, "vm.vsock");
}

/** Boots a guest; the same folder gives the same socket each time. */
export async function bootGuest(
  parts: VmParts,
  folder: string,
  node: string,
  onLine: BootOptions["onLine"],
): Promise<GuestVm> {
  const device = join(folder, "device");
  const socket = guestSocket(folder);
  // What a daemon left behind that was killed.
  for (const path of [device, socket]) await rm(path, { force: true });
  const daemon = await startTied(parts.vhostDevice, ["--vm", `guest-cid=42,socket=${device},uds-path=${socket}`], {
    stdio: "ignore",
  });
  try {
    while (!existsSync(device)) {
      const how = await Promise.race([daemon.ended, pause(10)]);
      if (how !== undefined) throw new Error(`vhost-device-vsock ${how} before it made its socket`);
    }
    const listen = ["--listen", `vsock://any:${guestPorts.ttrpc}`, "--grpc", `vsock://any:${guestPorts.grpc}`];
    const began = performance.now();
    const listening = Promise.withResolvers<number>();
    listening.promise.catch(() => {});
    const vm = await bootVm(parts, {
      modules: ["vmw_vsock_virtio_transport"],
      sharedMemory: true,
      devices: ["-chardev", `socket,id=vsock,path=${device}`, "-device", "vhost-user-vsock-pci,chardev=vsock"],
      command: [node, "packages/guest/bin/guestwire-guest.js", ...listen, "--state-dir", "/tmp/state"],
      keep: [node],
      onLine(line) {
        onLine(line);
        // The last of its addresses.
        if (line.endsWith("(gRPC)")) listening.resolve(performance.now() - began);
      },
    });
    const early = (status: number): void => listening.reject(new Error(`the guest ended with ${status}`));
    vm.exitStatus.then(early, listening.reject);
    try {
      return {
        vm,
        boot: await vm.ready,
        listening: listening.promise,
        async [Symbol.asyncDispose]() {
          await vm.kill();
          await daemon[Symbol.asyncDispose]();
        },
      };
    } catch (error) {
      await vm.kill();
      throw error;
    }
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}
