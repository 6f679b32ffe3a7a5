// Does a channel's target lead to another machine? Looks at its text only and looks no name up.
import { BlockList, isIP, isIPv6 } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

// Reached through the kernel or a hypervisor of this machine, or within this process. A stream that the user opened is
// the user's to know.
const local = /^(?:unix|vsock|hvsock|fd|in-process|duplex):/;

/**
 * Whether what is sent to a channel's target may leave this machine: `true` also where the text does not tell.
 *
 * @param target One of our addresses, one of gRPC's (`dns:///host:port`), or several with commas between.
 */
export function leavesMachine(target: string): boolean {
  return target.split(",").some((part) => !local.test(part) && !isLoopbackHost(hostOf(part)));
}

/** The host of `tcp://host:port`, `dns:///host:port`, `ipv4:host:port`, `ipv6:[host]:port`; empty where there is none. */
function hostOf(part: string): string {
  const [, bracketed, plain] = /^(?:[a-z0-9+.-]+:(?:\/\/\/?)?)?(?:\[([^\]]+)\]|([^:/[\]]+)):\d+$/i.exec(part) ?? [];
  return bracketed ?? plain ?? "";
}

function isLoopbackHost(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === "localhost";
  return loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}
