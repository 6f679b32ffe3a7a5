// Events of connections: each is told of once when it opens and once when it ends, with who and why.
import { createServer } from "node:net";
import { type ConnectionEvent, createClient } from "@guestwire/rpc";
import { type ConnectionChannels, clientConnections, serverConnections } from "@guestwire/rpc/transport";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { afterEach, expect, test } from "vitest";
import { connect } from "./channel.js";
import { serve } from "./server.js";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

interface Told {
  readonly moment: "open" | "close" | "failed";
  readonly event: ConnectionEvent;
}

/** Keeps what is told, and lets a test wait until there are `count` of them. */
function hear(channels: ConnectionChannels): { told: Told[]; until(count: number): Promise<void> } {
  const told: Told[] = [];
  let changed = (): void => {};
  for (const moment of ["open", "close", "failed"] as const) {
    const listener = (event: unknown): void => {
      told.push({ moment, event: event as ConnectionEvent });
      changed();
    };
    channels[moment].subscribe(listener);
    stops.push(() => channels[moment].unsubscribe(listener));
  }
  return {
    told,
    async until(count) {
      while (told.length < count) await new Promise<void>((resolve) => (changed = resolve));
    },
  };
}

test("both ends tell of a connection's beginning and end, with one object for both", async () => {
  await using folder = await tempFolder();
  const client = hear(clientConnections);
  const server = hear(serverConnections);
  const served = serve().service(EchoService, echoHandlers);
  const address = await served.listen(`unix://${folder.file("c.sock")}`);
  const channel = connect(address);
  expect(client.told).toEqual([]);
  await createClient(EchoService, channel).echo({});
  expect(client.told).toMatchObject([{ moment: "open", event: { protocol: "ttrpc", kind: "unix", address } }]);
  expect(server.told).toMatchObject([{ moment: "open", event: { protocol: "ttrpc", kind: "unix", address } }]);
  expect(client.told[0]?.event.durationMs).toBeUndefined();
  await channel.close();
  await server.until(2);
  await served.close();
  expect(client.told).toMatchObject([{}, { moment: "close", event: { reason: "closed by this side" } }]);
  expect(server.told).toMatchObject([{}, { moment: "close", event: { reason: "the client closed the connection" } }]);
  for (const { told } of [client, server]) {
    expect(told[1]?.event).toBe(told[0]?.event);
    expect(told[1]?.event.durationMs).toBeGreaterThan(0);
    expect(told[1]?.event.error).toBeUndefined();
  }
});

test("a peer that breaks the wire's rules is the fault that ends it", async () => {
  await using folder = await tempFolder();
  const { told, until } = hear(clientConnections);
  const raw = createServer((socket) => socket.end("no frames at all, but more bytes than a header has"));
  await new Promise<void>((resolve) => raw.listen(folder.file("r.sock"), resolve));
  const channel = connect(`unix://${folder.file("r.sock")}`);
  await createClient(EchoService, channel)
    .echo({})
    .catch(() => {});
  await until(2);
  await channel.close();
  raw.close();
  expect(told[1]).toMatchObject({ moment: "close", event: { reason: expect.stringMatching(/./) } });
  expect(told[1]?.event.error).toBeInstanceOf(Error);
});

test("attempts that fail are told of, one by one, and open nothing", async () => {
  await using folder = await tempFolder();
  const { told } = hear(clientConnections);
  const address = `unix://${folder.file("none.sock")}`;
  const channel = connect(address);
  await createClient(EchoService, channel)
    .echo({})
    .catch(() => {});
  await channel.close();
  expect(told).toMatchObject([
    { moment: "failed", event: { protocol: "ttrpc", address, reason: expect.stringContaining("ENOENT") } },
  ]);
});

test("a server tells of whom it turns away", async () => {
  await using folder = await tempFolder();
  const { told, until } = hear(serverConnections);
  const served = serve({ limits: { connections: 1 } }).service(EchoService, echoHandlers);
  const address = await served.listen(`unix://${folder.file("f.sock")}`);
  await using first = connect(address);
  await createClient(EchoService, first).echo({});
  await using second = connect(address);
  await createClient(EchoService, second)
    .echo({})
    .catch(() => {});
  await until(2);
  expect(told[1]).toMatchObject({ moment: "failed", event: { address, reason: "too many connections are open" } });
  await served.close({ graceMs: 0 });
});
