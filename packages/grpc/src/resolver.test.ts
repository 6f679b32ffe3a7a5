// The resolver's hold on attempts to connect, each of which can be ended, and on the target that it hears of changes from.
import { once } from "node:events";
import { createServer, connect as netConnect } from "node:net";
import { Channel, credentials } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import { Attempts, routed } from "./resolver.js";
import { parseTarget } from "./target.js";

test("an attempt ends with its channel; an address has no more than its newest one", async () => {
  const attempts = new Attempts();
  const [endpoint] = attempts.watched([{ addresses: [{ host: "127.0.0.1", port: 1 }] }]);
  const address = endpoint?.addresses[0] as unknown as { signal: AbortSignal };
  const [first, second] = [address.signal, address.signal];
  expect(first).not.toBe(second);
  attempts.abort();
  expect([first.aborted, second.aborted]).toEqual([false, true]);
});

test("attempts of addresses that are gone end with their channel as well; the oldest are forgotten", () => {
  const attempts = new Attempts();
  const signals: AbortSignal[] = [];
  for (let port = 1; port <= 70; port++) {
    const watched = attempts.watched([{ addresses: [{ host: "127.0.0.1", port }] }]);
    const address = watched[0]?.addresses[0] as unknown as { signal: AbortSignal };
    signals.push(address.signal);
  }
  attempts.abort();
  expect(signals.filter(({ aborted }) => !aborted)).toEqual(signals.slice(0, 5));
});

// What grpc-js does with an address: Node has to read the signal, or connections could not be ended.
test("net.connect takes the signal from an address", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const attempts = new Attempts();
  const [endpoint] = attempts.watched([{ addresses: [{ host: "127.0.0.1", port }] }]);
  const socket = netConnect(endpoint?.addresses[0] as { host: string; port: number });
  const failed = once(socket, "error");
  attempts.abort();
  expect((await failed)[0]).toMatchObject({ name: "AbortError" });
  server.close();
  await once(server, "close");
});

test("a target's changes are heard of while the channel is used, and no longer", async () => {
  const forget = vi.fn();
  const changes = vi.fn(() => forget);
  const target = { ...parseTarget("unix:///run/none.sock"), changes };
  const route = routed({ target, attempts: new Attempts(), selector: undefined });
  const channel = new Channel(route.target, credentials.createInsecure(), { ...route.options });
  expect(changes).not.toHaveBeenCalled();
  channel.getConnectivityState(true);
  channel.getConnectivityState(true);
  expect(changes).toHaveBeenCalledOnce();
  expect(forget).not.toHaveBeenCalled();
  channel.close();
  expect(forget).toHaveBeenCalledOnce();
});
