// A guest that exists for the kernel and never answers: a CID claimed on /dev/vhost-vsock with nobody behind it.
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { syscalls } from "../../dist/backend.js";

const VHOST_SET_OWNER = 0xaf01;
const VHOST_VSOCK_SET_GUEST_CID = 0x4008af60;

// Several runs share a VM.
let nextCid = 1_000_000 + (process.pid % 100_000) * 100;

/** Claims a CID until the end of the test, or until `vanish()`. */
export function ghost(test) {
  const cid = nextCid++;
  const fd = openSync("/dev/vhost-vsock", "r+");
  let gone = false;
  const vanish = () => {
    if (!gone) closeSync(fd);
    gone = true;
  };
  test.after(vanish);
  const { ioctl } = syscalls();
  assert.equal(ioctl(fd, VHOST_SET_OWNER, null), 0);
  assert.equal(ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, new Uint8Array(BigUint64Array.of(BigInt(cid)).buffer)), 0);
  return { cid, vanish };
}
