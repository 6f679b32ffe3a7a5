// The context IDs and the port that have a meaning of their own, and the text form of an address.

/** Where a vsock socket connects to. */
export interface VsockAddress {
  /** The machine: 2 is the host, 1 this machine itself, 3 and more are guests. */
  readonly cid: number;
  /** 0 to 2^32-2. Listening below 1024 takes `CAP_NET_BIND_SERVICE`. */
  readonly port: number;
}

/** Context IDs with names. */
export const cids: {
  /** The hypervisor itself (0); Linux uses it no more. */
  readonly hypervisor: 0;
  /** This machine (1), where the kernel's `vsock_loopback` is loaded. */
  readonly local: 1;
  /** The host of this guest (2). */
  readonly host: 2;
  /** Every ID that this machine has (2^32-1); for listening only. */
  readonly any: 0xffffffff;
} = { hypervisor: 0, local: 1, host: 2, any: 0xffffffff };

/** Asks `listen()` for any free port. */
export const anyPort = 0xffffffff;

/** An address as text: `vsock://3:1024`, `vsock://any:1024`. */
export function formatVsock(address: VsockAddress): string {
  const { cid, port } = address;
  return `vsock://${cid === cids.any ? "any" : cid}:${port === anyPort ? "any" : port}`;
}
