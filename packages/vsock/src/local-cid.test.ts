import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { localCidOf } from "./local-cid.js";
import { IOCTL_VM_SOCKETS_GET_LOCAL_CID } from "./syscalls.js";
import { backends } from "./tcp-redirect.test.support.js";

const FIONREAD = 0x541b;

describe.each(backends)("localCid with %s", (_name, calls) => {
  test("gives the number that the device's ioctl writes", () => {
    // A plain file has an ioctl that writes a number too: how many bytes are left to read.
    const file = join(tmpdir(), `guestwire-cid-${process.pid}`);
    writeFileSync(file, "12345");
    const requests: number[] = [];
    const asking = {
      ...calls,
      ioctl: (fd: number, request: number, value: Uint8Array | null) => {
        requests.push(request);
        return calls.ioctl(fd, FIONREAD, value);
      },
    };
    expect(localCidOf(() => asking, file)).toBe(5);
    expect(requests).toEqual([IOCTL_VM_SOCKETS_GET_LOCAL_CID]);
    rmSync(file);
  });

  test("without the device it says what to load", () => {
    const message = "AF_VSOCK is not available: there is no /dev/no-such-vsock; load it (modprobe vsock";
    expect(() => localCidOf(() => calls, "/dev/no-such-vsock")).toThrow(message);
  });

  test("a device that is something else gives the kernel's error", () => {
    expect(() => localCidOf(() => calls, "/dev/null")).toThrow(
      expect.objectContaining({ code: "ENOTTY", syscall: "ioctl" }),
    );
  });

  test("other failures of opening it stay as they are", () => {
    expect(() => localCidOf(() => calls, "/dev/null/vsock")).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
  });
});
