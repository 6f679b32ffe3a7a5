// hybridProxy against raw hosts and raw guests.
import { getEventListeners, once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { rawServer, readAll, socketPath, until } from "./hybrid.test.support.js";
import type { ConnectGuest } from "./hybrid-accept.js";
import { dialHybrid } from "./hybrid-dial.js";
import { listenHybrid } from "./hybrid-listen.js";
import { unixPorts } from "./hybrid-ports.js";
import { hybridProxy } from "./hybrid-proxy.js";
import { started, withGuest } from "./hybrid-proxy.test.support.js";

const echo = (socket: Socket): void => void socket.pipe(socket);

/** What a host that sends these parts, one after the other, gets until the proxy ends. */
async function exchange(path: string, parts: readonly string[]): Promise<string> {
  const host = createConnection({ path, allowHalfOpen: true });
  host.on("error", () => {});
  await once(host, "connect");
  for (const part of parts) {
    host.write(part);
    await nextTurn();
  }
  const chunks: Buffer[] = [];
  host.on("data", (chunk: Buffer) => chunks.push(chunk));
  host.on("end", () => host.destroy());
  await once(host, "close");
  return Buffer.concat(chunks).toString();
}

describe("the handshake", () => {
  test.each([
    [["CONNECT 7000\n"]],
    [["connect 7000\n"]],
    [["Connect  7000 \r\n"]],
    [["CONN", "ECT 70", "00", "\n"]],
    [[..."CONNECT 7000\n"]],
  ])("%j is answered", async (parts) => {
    const path = await withGuest((guest) => void guest.end("hello"));
    const text = await exchange(path, parts);
    expect(text).toMatch(/^OK \d+\nhello$/);
    const next = await exchange(path, parts);
    const [port = 0, another = 0] = [text, next].map((reply) => Number(reply.match(/\d+/)?.[0]));
    expect(port).toBe(2 ** 30);
    expect(another).toBe(2 ** 30 + 1);
  });

  test("what comes along with the command reaches the guest", async () => {
    const path = await withGuest((guest) => void guest.once("data", (chunk) => guest.end(`got ${chunk}`)));
    expect(await exchange(path, ["CONNECT 7000\nearly"])).toBe(`OK ${2 ** 30}\ngot early`);
  });

  test.each([
    ["HELLO 7000\n"],
    ["CONNECT\n"],
    ["CONNECT \n"],
    ["CONNECT seven\n"],
    ["CONNECT -1\n"],
    ["CONNECT 7000 7000\n"],
    ["CONNECT 4294967295\n"],
    ["CONNECT 99999999999\n"],
    ["CONNECT 0x1b58\n"],
    ["CONNECT7000\n"],
    ["\n"],
    [`CONNECT ${"7".repeat(24)}`],
    ["\0".repeat(100)],
  ])("%j closes the connection without text", async (command) => {
    const refused: unknown[] = [];
    const path = await withGuest(echo, { onRefused: (error) => refused.push(error) });
    expect(await exchange(path, [command])).toBe("");
    expect(refused).toMatchObject([{ code: "EPROTO" }]);
  });

  test("a port that nobody serves closes the connection without text", async () => {
    const path = socketPath();
    const refused: unknown[] = [];
    const ports = unixPorts({ 7001: `${path}.nobody` });
    await started(path, ports, { onRefused: (error) => refused.push(error) });
    for (const port of [7001, 7002]) {
      expect(await exchange(path, [`CONNECT ${port}\n`])).toBe("");
      await expect(dialHybrid({ path, port })).rejects.toMatchObject({ code: "ERR_VSOCK_HYBRID_CLOSED" });
    }
    expect(refused).toMatchObject(["ENOENT", "ENOENT", "ECONNRESET", "ECONNRESET"].map((code) => ({ code })));
  });

  test("connect may fail in every way there is", async () => {
    const path = socketPath();
    const broken = new Error("broken");
    const destroyed = createConnection(`${path}.nobody`).on("error", () => {});
    await new Promise((resolve) => destroyed.on("close", resolve));
    const guests: (() => unknown)[] = [
      () => {
        throw broken;
      },
      () => Promise.reject(broken),
      () => undefined,
      () => destroyed,
      () => createConnection(`${path}.nobody`),
    ];
    const refused: unknown[] = [];
    await started(path, (port) => guests[port]?.() as Duplex, { onRefused: (error) => refused.push(error) });
    for (const port of guests.keys()) expect(await exchange(path, [`CONNECT ${port}\n`])).toBe("");
    expect(refused).toMatchObject([
      { message: "broken" },
      { message: "broken" },
      { message: "the function connect of hybridProxy() did not return a Duplex" },
      { code: "ECONNRESET" },
      { code: "ENOENT" },
    ]);
  });

  test("connect may give a socket that still connects, or any Duplex", async () => {
    const path = socketPath();
    await rawServer(`${path}.guest`, (guest) => void guest.end("from a socket"));
    await started(path, (port) =>
      port === 1
        ? createConnection(`${path}.guest`)
        : Duplex.from(async function* (host: AsyncIterable<Buffer>) {
            for await (const chunk of host) yield `duplex got ${chunk}`;
          }),
    );
    expect(await exchange(path, ["CONNECT 1\n"])).toBe(`OK ${2 ** 30}\nfrom a socket`);
    const host = await dialHybrid({ path, port: 2 });
    host.end("bytes");
    expect((await readAll(host)).toString()).toBe("duplex got bytes");
  });

  test("is limited in time, for the command and for the guest's answer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const path = socketPath();
    const refused: unknown[] = [];
    const signals: AbortSignal[] = [];
    const onRefused = (error: unknown): void => void refused.push(error);
    const never: ConnectGuest = (_port, signal) => {
      signals.push(signal);
      return new Promise<Duplex>(() => {});
    };
    const proxy = await started(path, never, { handshakeTimeoutMs: 30, onRefused });
    for (const parts of [[], ["CONN"], ["CONNECT 7000\n"]]) {
      const answer = exchange(path, parts);
      await until(() => proxy.connections === 1 && (parts[0] !== "CONNECT 7000\n" || signals.length === 1));
      vi.advanceTimersByTime(29);
      await nextTurn();
      expect(proxy.connections).toBe(1);
      vi.advanceTimersByTime(1);
      expect(await answer).toBe("");
      expect(vi.getTimerCount()).toBe(0);
      await until(() => proxy.connections === 0);
    }
    expect(refused).toMatchObject([{ code: "ETIMEDOUT" }, { code: "ETIMEDOUT" }, { code: "ETIMEDOUT" }]);
    expect(signals.map((signal) => signal.aborted)).toEqual([true]);
  });

  test("ends when the host goes, and a guest that comes later is closed", async () => {
    const path = socketPath();
    const aborted = Promise.withResolvers<void>();
    const late = Promise.withResolvers<Duplex>();
    await rawServer(`${path}.guest`, () => {});
    const proxy = await started(path, (_port, signal) => {
      signal.addEventListener("abort", () => aborted.resolve());
      return late.promise;
    });
    const stop = new AbortController();
    const dialing = dialHybrid({ path, port: 7000 }, { signal: stop.signal });
    await until(() => proxy.connections === 1);
    const reason = new Error("enough");
    setTimeout(() => stop.abort(reason), 20);
    await expect(dialing).rejects.toBe(reason);
    await aborted.promise;
    await until(() => proxy.connections === 0);
    const guest = createConnection(`${path}.guest`);
    await once(guest, "connect");
    late.resolve(guest);
    await once(guest, "close");
  });
});

describe("the guest's connections to its host", () => {
  test("arrive at the path with the port", async () => {
    const path = socketPath();
    const proxy = await started(path, unixPorts({}));
    const server = await listenHybrid({ path, port: 9000 }, {}, echo);
    onTestFinished(() => void server.close());
    const stop = new AbortController();
    const guest = await proxy.connectToHost(9000, { signal: stop.signal });
    expect(proxy.connections).toBe(1);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    guest.end("ping");
    expect((await readAll(guest)).toString()).toBe("ping");
    await until(() => proxy.connections === 0);
  });

  test("are reset when nobody listens, or the proxy is full, aborted or closed", async () => {
    const path = socketPath();
    const proxy = await started(path, unixPorts({}), { maxConnections: 1 });
    await expect(proxy.connectToHost(9000)).rejects.toMatchObject({
      code: "ECONNRESET",
      address: `${path}_9000`,
      cause: { code: "ENOENT" },
    });
    await expect(proxy.connectToHost(-1)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
    const server = await listenHybrid({ path, port: 9000 });
    onTestFinished(() => void server.close());
    const reason = new Error("enough");
    await expect(proxy.connectToHost(9000, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stop = new AbortController();
    const stopped = proxy.connectToHost(9000, { signal: stop.signal });
    stop.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    const guest = await proxy.connectToHost(9000);
    await expect(proxy.connectToHost(9000)).rejects.toThrow("1 connections are open");
    await proxy.close();
    expect(guest.destroyed).toBe(true);
    await expect(proxy.connectToHost(9000)).rejects.toThrow("the proxy is closed");
  });
});

describe("the proxy", () => {
  test("accepts and drops what is over its limit, and takes new ones when there is room", async () => {
    const path = await withGuest(echo, { maxConnections: 2 });
    const open = [await dialHybrid({ path, port: 7000 }), await dialHybrid({ path, port: 7000 })];
    expect(await exchange(path, [])).toBe("");
    await expect(dialHybrid({ path, port: 7000 })).rejects.toMatchObject({ code: "ERR_VSOCK_HYBRID_CLOSED" });
    for (const socket of open) socket.destroy();
    let again: Socket | undefined;
    while (again === undefined) again = await dialHybrid({ path, port: 7000 }).catch(() => undefined);
    again.destroy();
  });

  test("ends everything when it closes", async () => {
    const path = socketPath();
    const resources = process.getActiveResourcesInfo().filter((name) => /Pipe|Timeout/.test(name)).length;
    const guests: Socket[] = [];
    const server = await rawServer(`${path}.guest`, (guest) => void guests.push(guest.resume()));
    const connect: ConnectGuest = (port, signal) =>
      port === 1 ? new Promise<Duplex>(() => {}) : unixPorts({ 7000: `${path}.guest` })(port, signal);
    {
      await using proxy = await hybridProxy({ path, connect });
      expect(proxy.path).toBe(path);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await expect(hybridProxy({ path, connect })).rejects.toMatchObject({ code: "EADDRINUSE" });
      const open = await dialHybrid({ path, port: 7000 });
      const pending = expect(dialHybrid({ path, port: 1 })).rejects.toMatchObject({ code: "ERR_VSOCK_HYBRID_CLOSED" });
      const idle = createConnection(path);
      await until(() => proxy.connections === 3);
      const closes = [once(open.resume(), "close"), once(idle.resume(), "close")];
      const first = proxy.close();
      await Promise.all([first, proxy.close()]);
      expect(proxy.connections).toBe(0);
      await pending;
      await Promise.all(closes);
    }
    expect(existsSync(path)).toBe(false);
    for (const guest of guests) guest.destroy();
    await once(server.close(), "close");
    await until(
      () => process.getActiveResourcesInfo().filter((name) => /Pipe|Timeout/.test(name)).length <= resources + 1,
    );
  });

  test("refuses wrong arguments", async () => {
    const connect = unixPorts({});
    const invalid = { code: "ERR_INVALID_ARG_VALUE" };
    await expect(hybridProxy({ path: "", connect })).rejects.toMatchObject(invalid);
    await expect(hybridProxy({ path: "/a", connect: undefined as unknown as ConnectGuest })).rejects.toMatchObject(
      invalid,
    );
    await expect(hybridProxy({ path: "/a", connect }, { handshakeTimeoutMs: -1 })).rejects.toMatchObject(invalid);
    await expect(hybridProxy({ path: "/a", connect }, { maxConnections: 0 })).rejects.toMatchObject(invalid);
    expect(() => unixPorts({ x: "/a" } as Record<string, string>)).toThrow("the vsock port NaN");
    expect(() => unixPorts({ 1: "" })).toThrow("must be a string that is not empty");
    const address = '"unix:///run/a.sock" is an address; give the path of the unix socket alone';
    expect(() => unixPorts({ 1: "unix:///run/a.sock" })).toThrow(address);
    for (const ports of ["/a", new Map([[1, "/a"]]), null]) {
      expect(() => unixPorts(ports as never)).toThrow("unixPorts() takes an object from ports to paths");
    }
    await expect(hybridProxy({ path: "hvsock:///a:5", connect })).rejects.toThrow("is an address");
  });
});
