// Where a server may listen without TLS: only where nobody but this machine can reach it, unless the user says otherwise.
import { lookup } from "node:dns/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { Code, RpcError } from "@guestwire/rpc";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether an IP address is reached from this machine only. */
export function isLoopback(address: string): boolean {
  if (isIP(address) === 0) return false;
  // An IPv4 address in IPv6's clothes is matched by the IPv4 rule.
  return loopback.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/**
 * The IP address to listen on for a host that may serve plaintext. It is looked up once, so that what was checked is what
 * is listened on.
 *
 * @throws {RpcError} Code.FailedPrecondition when the host is, or may be, reached from elsewhere.
 */
export async function loopbackAddress(host: string, address: string): Promise<string> {
  const found = isIP(host) === 0 ? await resolve(host, address) : [host];
  const open = found.find((ip) => !isLoopback(ip));
  if (open !== undefined) throw refusedPlaintext(address, host === open ? host : `${host} (${open})`);
  return found[0] as string;
}

/** Refuses to serve plaintext on an address. */
export function refusedPlaintext(address: string, what: string): RpcError {
  return new RpcError(
    Code.FailedPrecondition,
    `${address}: ${what} is not a loopback address and the server has no TLS; ` +
      "give serve() the option tls, or allowRemotePlaintext: true where others protect the connection",
  );
}

async function resolve(host: string, address: string): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true });
    if (found.length > 0) return found.map((entry) => entry.address);
  } catch (error) {
    throw new RpcError(Code.FailedPrecondition, `cannot listen on ${address}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  throw new RpcError(Code.FailedPrecondition, `cannot listen on ${address}: ${host} has no address`);
}
