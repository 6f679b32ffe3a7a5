// Health over every wire: a client sees each change, and nothing is left when either side ends.
import { Code, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, watchHandles } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { wires } from "../../reflection/test/support/wires.js";
import {
  checkHealth,
  createHealth,
  createHealthClient,
  ServingStatus,
  waitUntilServing,
  watchHealth,
} from "../src/index.js";

const { SERVING, NOT_SERVING, UNKNOWN } = ServingStatus;

describe.each(wires)("$name", ({ open }) => {
  test("check, list and watch", async () => {
    const allClosed = watchHandles();
    const health = createHealth();
    {
      await using opened = await open((registry) => health.register(registry.service(EchoService, echoHandlers)));
      const { channel } = opened;
      expect(await checkHealth(channel, EchoService)).toBe(SERVING);
      await expect(checkHealth(channel, "no.Such")).rejects.toMatchObject({ code: Code.NotFound });
      const { statuses } = await createHealthClient(channel).list({});
      expect(Object.keys(statuses).sort()).toEqual(["", "grpc.health.v1.Health", EchoService.typeName]);

      await using watch = watchHealth(channel, EchoService);
      const next = async () => (await watch.next()).value?.status;
      expect(await next()).toBe(SERVING);
      health.setStatus(EchoService, NOT_SERVING);
      expect(await next()).toBe(NOT_SERVING);
      const served = waitUntilServing(channel, EchoService, { timeoutMs: 60_000 });
      health.setStatus(EchoService, SERVING);
      expect(await next()).toBe(SERVING);
      expect(await served).toBeUndefined();
    }
    await allClosed();
  });

  test("a watch goes on when the server has ended it, and says so", async () => {
    const health = createHealth();
    await using opened = await open((registry) => health.register(registry));
    await using watch = watchHealth(opened.channel, "", { backoff: { initialMs: 1 } });
    expect((await watch.next()).value?.status).toBe(SERVING);
    health.close();
    expect((await watch.next()).value?.status).toBe(NOT_SERVING);
    const { status, error } = (await watch.next()).value ?? {};
    expect([status, RpcError.from(error).code]).toEqual([UNKNOWN, Code.Unavailable]);
    // The next call is told the same, and so on.
    expect((await watch.next()).value?.status).toBe(NOT_SERVING);
  });
});

describe.each(wires.slice(1))("$name", ({ open }) => {
  test("a server ends at once when health was closed before, watched or not", async () => {
    const health = createHealth();
    await using opened = await open((registry) => health.register(registry));
    const server = opened.registry as unknown as { close(o: object): Promise<void>; readonly runningCalls: number };
    const watch = createHealthClient(opened.channel).watch({});
    expect((await watch.next()).value?.status).toBe(SERVING);
    expect(server.runningCalls).toBe(1);
    health.close();
    const closed = server.close({ graceMs: 86_400_000 });
    expect((await watch.next()).value?.status).toBe(NOT_SERVING);
    await expect(watch.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await closed;
    expect(server.runningCalls).toBe(0);
  });

  test("a watcher that leaves is forgotten by the server", async () => {
    const health = createHealth();
    await using opened = await open((registry) => health.register(registry));
    const server = opened.registry as unknown as { readonly runningCalls: number };
    for (let i = 0; i < 20; i++) {
      const watch = watchHealth(opened.channel);
      await watch.next();
      await watch.return();
    }
    while (server.runningCalls > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await checkHealth(opened.channel)).toBe(SERVING);
  });
});
