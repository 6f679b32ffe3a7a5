// A list of addresses that changes under channels: where calls go, what becomes of those that run, and what is left.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type Channel, Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { type AddressList, createAddressList } from "./address-list.js";
import { connect } from "./channel.js";
import { serve } from "./server.js";
import { until } from "./server.test.support.js";

const handlesGone = watchHandles();
afterAll(() => handlesGone());
afterEach(() => void vi.useRealTimers());

/** Servers that answer with their own name. */
async function servers<N extends string>(...names: N[]) {
  const folder = await tempFolder();
  const hanging: (() => void)[] = [];
  const all = await Promise.all(
    names.map(async (name) => {
      const server = serve().service(EchoService, {
        ...echoHandlers,
        echo: () => ({ text: name }),
        hang: () => new Promise((resolve) => hanging.push(() => resolve({}))),
      });
      return [name, { server, address: await server.listen(`unix://${folder.file(`${name}.sock`)}`) }] as const;
    }),
  );
  return {
    ...(Object.fromEntries(all) as Record<N, (typeof all)[number][1]>),
    hanging,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(([, { server }]) => server.close({ graceMs: 0 })));
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Who answers six calls. */
async function answering(channel: Channel): Promise<string> {
  const client = createClient(EchoService, channel);
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) answers.push((await client.echo({})).text);
  return [...new Set(answers)].sort().join("");
}

async function failure(promise: PromiseLike<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

const empty = {
  code: Code.Unavailable,
  reason: "connect_failed",
  rawMessage: "cannot connect to an address list: it is empty at present",
};

describe("calls go to the present addresses", () => {
  test.each(["round_robin", "pick_first"] as const)("%s: from the update on", async (loadBalancing) => {
    await using all = await servers("a", "b", "c");
    const { a, b, c } = all;
    const list = createAddressList([a.address]);
    await using channel = connect(list, { loadBalancing });
    expect(await answering(channel)).toBe("a");
    list.update([b.address]);
    expect(await answering(channel)).toBe("b");
    list.update([c.address, b.address]);
    // The first of many stays with the open connection. The other policy uses the second once it is open.
    if (loadBalancing === "pick_first") expect(await answering(channel)).toBe("b");
    else while ((await answering(channel)) !== "bc");
    list.update([a.address]);
    expect(await answering(channel)).toBe("a");
  });

  test("the connections of addresses that stay are kept", async () => {
    await using all = await servers("a", "b");
    const list = createAddressList([all.a.address]);
    await using channel = connect(list);
    await answering(channel);
    list.update([all.b.address, all.a.address]);
    await until(() => all.b.server.connections === 1);
    list.update([all.a.address]);
    expect(await answering(channel)).toBe("a");
    expect(all.a.server.connections).toBe(1);
  });

  test("one list serves several channels, and forgets those that are closed", async () => {
    await using all = await servers("a", "b");
    const list = createAddressList([all.a.address]);
    await using one = connect(list);
    const other = connect(list);
    expect([await answering(one), await answering(other)]).toEqual(["a", "a"]);
    list.update([all.b.address]);
    expect([await answering(one), await answering(other)]).toEqual(["b", "b"]);
    await other.close();
    list.update([all.a.address]);
    expect(await answering(one)).toBe("a");
    expect(all.a.server.connections).toBe(1);
  });

  test("a channel that was never used and one that is closed do not hear of changes", async () => {
    await using all = await servers("a");
    const list = createAddressList([all.a.address]);
    const unused = connect(list);
    const used = connect(list);
    await answering(used);
    await used.close();
    await until(() => all.a.server.connections === 0);
    list.update([]);
    list.update([all.a.address]);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(all.a.server.connections).toBe(0);
    await unused.close();
  });
});

describe("an address that left", () => {
  test("its running calls come to their end, then its connection is closed", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    await using all = await servers("a", "b");
    const list = createAddressList([all.a.address]);
    await using channel = connect(list);
    const client = createClient(EchoService, channel);
    const running = client.hang({});
    await until(() => all.hanging.length === 1);
    list.update([all.b.address]);
    expect(await answering(channel)).toBe("b");
    // The pause in which it could come back.
    vi.advanceTimersByTime(10_000);
    expect(await answering(channel)).toBe("b");
    expect(all.a.server.connections).toBe(1);
    for (const finish of all.hanging) finish();
    expect(await running).toMatchObject({});
    await until(() => all.a.server.connections === 0);
  });
});

describe("an empty list", () => {
  test.each(["round_robin", "pick_first"] as const)("%s: calls fail, saying so", async (loadBalancing) => {
    await using all = await servers("a");
    const list = createAddressList();
    await using channel = connect(list, { loadBalancing, connectTimeoutMs: 86_400_000 });
    const client = createClient(EchoService, channel);
    for (let round = 0; round < 2; round++) {
      expect(await failure(client.echo({}))).toMatchObject(empty);
      expect(await failure(client.join([{}]))).toMatchObject(empty);
      list.update([all.a.address]);
      expect(await answering(channel)).toBe("a");
      list.update([]);
    }
    expect(await failure(client.echo({}))).toMatchObject(empty);
  });

  test("a call that waits for a connection fails when the list becomes empty", async () => {
    await using folder = await tempFolder();
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket));
    silent.listen(folder.file("silent.sock"));
    await once(silent, "listening");
    const list = createAddressList([`unix://${folder.file("silent.sock")}`]);
    await using channel = connect(list, { connectTimeoutMs: 86_400_000 });
    const waiting = failure(createClient(EchoService, channel).echo({}));
    await until(() => sockets.length === 1);
    list.update([]);
    expect(await waiting).toMatchObject(empty);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test("with waitForReady calls wait until it is not empty any more", async () => {
    await using all = await servers("a");
    const list = createAddressList();
    await using channel = connect(list, { waitForReady: true });
    const client = createClient(EchoService, channel);
    const waiting = [client.echo({}), client.echo({}, { timeoutMs: 86_400_000 })];
    expect(await failure(client.echo({}, { timeoutMs: 20 }))).toMatchObject({ code: Code.DeadlineExceeded });
    list.update([all.a.address]);
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(["a", "a"]);
  });

  test("a call that is repeated outlasts a list that is empty for a moment", async () => {
    await using all = await servers("a");
    const list = createAddressList();
    await using channel = connect(list, { retries: { attempts: 5, initialBackoffMs: 50 } });
    const call = createClient(EchoService, channel).echo({});
    await new Promise(setImmediate);
    list.update([all.a.address]);
    expect((await call).text).toBe("a");
  });

  test("a policy of a service config holds for the list as well", async () => {
    await using all = await servers("a");
    const list = createAddressList([all.a.address]);
    const serviceConfig = { loadBalancingConfig: [{ unheard_of: {} }, { round_robin: {} }] };
    await using channel = connect(list, { serviceConfig });
    expect(await answering(channel)).toBe("a");
    list.update([]);
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject(empty);
  });
});

describe("what the list takes", () => {
  test("addresses as they are given, none twice", () => {
    const list = createAddressList(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:1"]);
    expect(list.addresses).toEqual(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"]);
    list.update([]);
    expect(list.addresses).toEqual([]);
  });

  test("what is wrong is named, and the list stays as it was", () => {
    const list = createAddressList(["tcp://127.0.0.1:1"]);
    expect(() => list.update(["tcp://127.0.0.1:2", "localhost"])).toThrowError(/no scheme/);
    expect(() => list.update(["dns:///guests:1"])).toThrowError(/"dns:\/\/\/guests:1" must stand alone/);
    expect(() => list.update(["vsock://any:1024"])).toThrowError(/"any" is where to listen/);
    expect(() => list.update("tcp://127.0.0.1:2" as never)).toThrowError(/an array of addresses, not string/);
    expect(() => list.update([7] as never)).toThrowError(/number/);
    expect(list.addresses).toEqual(["tcp://127.0.0.1:1"]);
    expect(() => connect({ addresses: [], update() {} } as AddressList)).toThrowError(/createAddressList/);
  });
});
