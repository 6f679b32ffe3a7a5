// Proxies for tests, which end with their test.
import type { Socket } from "node:net";
import { onTestFinished } from "vitest";
import { rawServer, socketPath } from "./hybrid.test.support.js";
import type { ConnectGuest } from "./hybrid-accept.js";
import { unixPorts } from "./hybrid-ports.js";
import { type HybridProxy, type HybridProxyOptions, hybridProxy } from "./hybrid-proxy.js";

/** A proxy. */
export async function started(
  path: string,
  connect: ConnectGuest,
  options: HybridProxyOptions = {},
): Promise<HybridProxy> {
  const proxy = await hybridProxy({ path, connect }, options);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** A proxy whose guest serves port 7000 in the given way. */
export async function withGuest(onSocket: (socket: Socket) => void, options: HybridProxyOptions = {}): Promise<string> {
  const path = socketPath();
  await rawServer(`${path}.guest`, onSocket);
  await started(path, unixPorts({ 7000: `${path}.guest` }), options);
  return path;
}
