import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { cids, type VsockAddress } from "./cids.js";
import { localCidOf } from "./local-cid.js";
import { encodeSockaddr } from "./sockaddr.js";
import { backends } from "./tcp-redirect.test.support.js";
import { attachNames } from "./vsock-socket.js";

describe.each(backends)("names with %s", (_name, calls) => {
  const giving =
    (name: VsockAddress) =>
    (_fd: number, bytes: Uint8Array): number => {
      bytes.set(encodeSockaddr(name));
      return 0;
    };
  /** A socket whose two names the kernel is made to give. */
  const named = (local: VsockAddress, remote: VsockAddress) =>
    attachNames(
      {
        ...calls,
        getsockname: giving(local),
        getpeername: giving(remote),
      },
      new Socket(),
      0,
    );

  test("what the kernel says is on the socket", () => {
    const { localCid, localPort, remoteCid, remotePort } = named({ cid: 5, port: 6 }, { cid: 7, port: 8 });
    expect([localCid, localPort, remoteCid, remotePort]).toEqual([5, 6, 7, 8]);
  });

  test("a socket bound to all CIDs that leads to this machine has its loopback's", () => {
    expect(named({ cid: cids.any, port: 6 }, { cid: cids.local, port: 8 }).localCid).toBe(cids.local);
  });

  test("one that leads elsewhere has this machine's CID, where that can be asked", () => {
    const socket = named({ cid: cids.any, port: 6 }, { cid: cids.host, port: 8 });
    const expected = existsSync("/dev/vsock") ? localCidOf(() => calls, "/dev/vsock") : cids.any;
    expect(socket.localCid).toBe(expected);
  });
});
