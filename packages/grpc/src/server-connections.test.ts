// Events of a server's connections over gRPC: opened, closed, turned away. A client's are with the network's tests.
import { type ConnectionEvent, createClient } from "@guestwire/rpc";
import { serverConnections } from "@guestwire/rpc/transport";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "./channel.js";
import { serve } from "./server.js";

test("a server tells of connections that open, that close, and that it turns away", async () => {
  await using folder = await tempFolder();
  const told: [string, ConnectionEvent][] = [];
  let changed = (): void => {};
  const stops = (["open", "close", "failed"] as const).map((moment) => {
    const listener = (event: unknown): void => {
      told.push([moment, { ...(event as ConnectionEvent) }]);
      changed();
    };
    serverConnections[moment].subscribe(listener);
    return () => serverConnections[moment].unsubscribe(listener);
  });
  const until = async (count: number): Promise<void> => {
    while (told.length < count) await new Promise<void>((resolve) => (changed = resolve));
  };
  const served = serve({ limits: { connections: 1 } }).service(EchoService, echoHandlers);
  const address = await served.listen(`unix://${folder.file("c.sock")}`);
  const common = { protocol: "grpc", kind: "unix", address };
  const first = connect(address);
  await createClient(EchoService, first).echo({});
  expect(told).toMatchObject([["open", common]]);
  expect(told[0]?.[1].durationMs).toBeUndefined();
  const second = connect(address);
  await createClient(EchoService, second)
    .echo({})
    .catch(() => {});
  await second.close();
  expect(told[1]).toMatchObject(["failed", { ...common, reason: "too many connections are open" }]);
  await first.close();
  await until(told.length + (told.some(([moment]) => moment === "close") ? 0 : 1));
  const closed = told.filter(([moment]) => moment === "close");
  expect(closed).toMatchObject([["close", { ...common, reason: expect.any(String) }]]);
  expect(closed[0]?.[1].durationMs).toBeGreaterThan(0);
  await served.close();
  for (const stop of stops) stop();
});
