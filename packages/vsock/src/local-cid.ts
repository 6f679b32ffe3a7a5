// Asks the kernel for this machine's own context ID.
import { closeSync, openSync } from "node:fs";
import { syscalls } from "./backend.js";
import { check, unavailable } from "./errors.js";
import { IOCTL_VM_SOCKETS_GET_LOCAL_CID, intBytes, readInt, type Syscalls } from "./syscalls.js";

/**
 * The context ID of this machine: a guest's own number, 2 on a host, 1 where there is only loopback.
 *
 * @throws {Error} `ERR_VSOCK_UNAVAILABLE` when this machine, or this Node, has no vsock; the message says what to do.
 * @throws {Error} `EACCES` when this user may not open `/dev/vsock`.
 */
export function localCid(): number {
  return localCidOf(syscalls, "/dev/vsock");
}

/** {@link localCid} with the system calls and the device given. */
export function localCidOf(load: () => Syscalls, device: string): number {
  const calls = load();
  const fd = openDevice(device);
  try {
    const cid = intBytes(0);
    check(calls.ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, cid), "ioctl");
    return readInt(cid) >>> 0;
  } finally {
    closeSync(fd);
  }
}

function openDevice(device: string): number {
  try {
    return openSync(device, "r");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENODEV" && code !== "ENXIO") throw error;
    throw unavailable(`there is no ${device}; load it (modprobe vsock, in a VM vmw_vsock_virtio_transport)`, error);
  }
}
