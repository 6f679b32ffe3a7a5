// Channels to addresses that grpc-js knows no way to, end to end: a guest behind hybrid vsock, alone and among others.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readdir } from "node:fs/promises";
import { type Channel, Code, createClient, RpcError } from "@guestwire/rpc";
import type { ConnectionEvent } from "@guestwire/rpc/transport";
import {
  createTestCa,
  EchoService,
  type TestCa,
  type TestCertificate,
  tempFolder,
  watchHandles,
} from "@guestwire/testkit";
import { hybridProxy, unixPorts } from "@guestwire/vsock";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAddressList } from "./address-list.js";
import { connect } from "./channel.js";
import { machine } from "./machine.test.support.js";
import { plainServer } from "./plain-server.test.support.js";
import { echoServer, failure, until } from "./server.test.support.js";

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

const named = (text: string) => ({ echo: () => ({ text }) });

/** Who answers six calls. */
async function answering(channel: Channel): Promise<string> {
  const client = createClient(EchoService, channel);
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) answers.push((await client.echo({})).text);
  return [...new Set(answers)].sort().join("");
}

describe("a guest behind hybrid vsock", () => {
  test("is called in all four ways, over one connection", async () => {
    await using guest = await machine();
    await using channel = connect(guest.address);
    const client = createClient(EchoService, channel);
    expect(channel.target).toBe(guest.address);
    expect((await client.echo({ text: "hello" })).text).toBe("hello");
    const numbers: bigint[] = [];
    for await (const { number } of client.split({ count: 5 })) numbers.push(number);
    expect(numbers).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect((await client.join([{ number: 1n }, { number: 2n }])).number).toBe(3n);
    const texts: string[] = [];
    for await (const { text } of client.chat([{ text: "a" }, { text: "b" }])) texts.push(text);
    expect(texts).toEqual(["a", "b"]);
    expect(guest.asked).toBe(1);
  });

  test("its errors, deadlines and cancellations are those of every connection", async () => {
    await using guest = await machine();
    await using channel = connect(guest.address);
    const client = createClient(EchoService, channel);
    expect(await failure(client.fail({ code: Code.NotFound, message: "no such" }))).toMatchObject({
      code: Code.NotFound,
      rawMessage: "no such",
      peer: guest.address,
    });
    expect(await failure(client.hang({}, { timeoutMs: 20 }))).toMatchObject({ reason: "deadline" });
    await until(() => guest.server.runningCalls === 0);
    const control = new AbortController();
    const canceled = failure(client.hang({}, { signal: control.signal }));
    await until(() => guest.server.runningCalls === 1);
    control.abort();
    expect(await canceled).toMatchObject({ reason: "canceled" });
    await until(() => guest.server.runningCalls === 0);
  });

  test("a thousand calls at a time, and a large message", async () => {
    await using guest = await machine();
    await using channel = connect(guest.address);
    const client = createClient(EchoService, channel);
    const calls = Array.from({ length: 1000 }, (_, n) => client.echo({ number: BigInt(n) }));
    expect((await Promise.all(calls)).every(({ number }, n) => number === BigInt(n))).toBe(true);
    const payload = new Uint8Array(3 << 20).fill(7);
    expect(Buffer.compare((await client.echo({ payload })).payload, payload)).toBe(0);
    expect(guest.asked).toBe(1);
  });

  test("is known as localhost, or as what it is to be called", async () => {
    await using folder = await tempFolder();
    await using plain = await plainServer({ echo: (call, done) => done(null, { text: call.getHost() }) });
    const ports = unixPorts({ 1024: plain.address.slice("unix://".length) });
    await using _ = await hybridProxy({ path: folder.file("vm.sock"), connect: ports });
    for (const [options, text] of [
      [{}, "localhost"],
      [{ authority: "guest.test" }, "guest.test"],
    ] as const) {
      await using channel = connect(`hvsock://${folder.file("vm.sock")}:1024`, options);
      expect((await createClient(EchoService, channel).echo({})).text).toBe(text);
    }
  });

  test("leaves nothing behind when channels come and go", async () => {
    await using guest = await machine();
    const round = async (): Promise<void> => {
      await using channel = connect(guest.address);
      await createClient(EchoService, channel).echo({});
    };
    await round();
    await until(() => guest.open === 0 && guest.server.connections === 0);
    const descriptors = (await readdir("/proc/self/fd")).length;
    for (let i = 0; i < 200; i++) await round();
    await until(() => guest.open === 0 && guest.server.connections === 0);
    expect((await readdir("/proc/self/fd")).length).toBeLessThanOrEqual(descriptors);
  });

  test("events tell of it by its own address", async () => {
    const events: [string, string | undefined, string][] = [];
    const moments = (["open", "close", "failed"] as const).map((moment) => {
      const listener = (event: unknown): void => {
        const { kind, address } = event as ConnectionEvent;
        events.push([moment, kind, address]);
      };
      subscribe(`guestwire:client.connection:${moment}`, listener);
      return () => unsubscribe(`guestwire:client.connection:${moment}`, listener);
    });
    await using guest = await machine();
    const channel = connect([guest.address]);
    await createClient(EchoService, channel).echo({});
    await channel.close();
    await guest.off();
    await using none = connect(guest.address);
    await failure(createClient(EchoService, none).echo({}));
    for (const forget of moments) forget();
    expect(events).toEqual([
      ["open", "hvsock", guest.address],
      ["close", "hvsock", guest.address],
      ["failed", undefined, guest.address],
    ]);
  });
});

describe("among other addresses", () => {
  test("calls go round over unix sockets and guests", async () => {
    await using a = await machine(named("a"));
    await using b = await echoServer(named("b"));
    await using c = await machine(named("c"));
    await using channel = connect([a.address, b.address, c.address]);
    // An address takes calls from when its connection is open.
    while ((await answering(channel)) !== "abc");
    await a.off();
    while ((await answering(channel).catch(() => "")) !== "bc");
    await a.on();
    while ((await answering(channel)) !== "abc");
  });

  test("the first that answers is taken where that was asked for", async () => {
    await using a = await machine(named("a"));
    await using b = await echoServer(named("b"));
    await a.off();
    await using channel = connect([a.address, b.address], { loadBalancing: "pick_first" });
    expect(await answering(channel)).toBe("b");
  });

  test.each(["round_robin", "pick_first"] as const)("%s: a list changes between them", async (loadBalancing) => {
    await using a = await machine(named("a"));
    await using b = await echoServer(named("b"));
    const list = createAddressList([b.address]);
    await using channel = connect(list, { loadBalancing });
    expect(await answering(channel)).toBe("b");
    list.update([a.address]);
    expect(await answering(channel)).toBe("a");
    list.update([b.address]);
    expect(await answering(channel)).toBe("b");
    list.update([a.address]);
    expect(await answering(channel)).toBe("a");
  });
});

describe("with TLS", () => {
  let authority: TestCa;
  let own: TestCertificate;
  let other: TestCertificate;

  beforeAll(async () => {
    authority = await createTestCa();
    own = await authority.issue({ commonName: "guest", names: ["localhost"] });
    other = await authority.issue({ commonName: "guest", names: ["guest.test"] });
  });

  test("the guest is localhost, or the name that it is to have", async () => {
    const { ca } = authority;
    await using guest = await machine({}, { tls: own });
    await using channel = connect(guest.address, { tls: { ca } });
    expect((await createClient(EchoService, channel).echo({ text: "safe" })).text).toBe("safe");
    expect(channel.secure).toBe(true);
    await using wrong = connect(guest.address, { tls: { ca, serverName: "guest.test" } });
    const error = RpcError.from(await failure(createClient(EchoService, wrong).echo({})));
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
    expect(error.rawMessage).toMatch(/guest\.test/);
    await using elsewhere = await machine({}, { tls: other });
    await using right = connect(elsewhere.address, { tls: { ca, serverName: "guest.test" } });
    expect((await createClient(EchoService, right).echo({ text: "named" })).text).toBe("named");
  });

  test("a guest that has gone and comes back is connected to anew", async () => {
    await using guest = await machine({}, { tls: own });
    await using channel = connect(guest.address, { tls: { ca: authority.ca }, waitForReady: true });
    const client = createClient(EchoService, channel);
    await client.echo({});
    await guest.off();
    await guest.on();
    while ((await client.echo({ text: "back" }).catch(() => ({ text: "" }))).text !== "back");
    expect(guest.asked).toBeGreaterThan(1);
  });
});
