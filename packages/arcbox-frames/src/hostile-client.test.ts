// Our server against clients that break the rules. The client's end is raw bytes.
import { Code, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { type TestHandlers, testAgent, until } from "./agent.test.support.js";
import { decodeErrorPayload } from "./error-frame.js";
import { frameBytes, type PlainFrame, rawClient } from "./raw-peer.test.support.js";
import type { ServeOptions } from "./server.js";

const ping = Buffer.from("0a0178", "hex");

async function opened(handlers: TestHandlers = {}, options: ServeOptions = {}) {
  const agent = await testAgent(handlers, { serve: options });
  const client = await rawClient(agent.address);
  await until(() => agent.server.connections === 1);
  return {
    ...agent,
    client,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await agent[Symbol.asyncDispose]();
    },
  };
}

function errorOf({ type, payload }: PlainFrame): [code: number, text: string] {
  expect(type).toBe(0xffff);
  const bytes = Buffer.from(payload, "hex");
  return [bytes.readInt32BE(0), decodeErrorPayload(bytes).rawMessage];
}

describe("requests", () => {
  test("come in pieces of any size, and the answer repeats the trace byte by byte", async () => {
    await using open = await opened();
    const bytes = frameBytes(1, ping, "tr");
    bytes[11] = 0xff;
    for (const byte of bytes) open.client.send(Buffer.from([byte]));
    const answer = await open.client.next();
    expect(answer).toMatchObject({ type: 0x1001, trace: "t\ufffd", payload: "0a07706f6e673a2078" });
  });

  test("behind each other are answered one after the other, in order", async () => {
    const order: string[] = [];
    const release = Promise.withResolvers<void>();
    await using open = await opened({
      agent: {
        async ping({ message }) {
          order.push(`begin ${message}`);
          if (message === "0") await release.promise;
          order.push(`end ${message}`);
          return { message };
        },
      },
    });
    open.client.send(
      ...["0", "1", "2"].map((text) =>
        frameBytes(1, Buffer.from(`0a01${Buffer.from(text).toString("hex")}`, "hex"), text),
      ),
    );
    await until(() => order.length === 1);
    release.resolve();
    const traces = [await open.client.next(), await open.client.next(), await open.client.next()].map(
      ({ trace }) => trace,
    );
    expect(traces).toEqual(["0", "1", "2"]);
    expect(order).toEqual(["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]);
  });

  test.each([0x7777, 0x000c, 0x0034, 0xffff_ffff])(
    "number %d is unknown: the connection is closed without a word",
    async (type) => {
      await using open = await opened();
      open.client.frame(type, ping);
      await expect(open.client.next()).rejects.toThrow("the connection ended");
      await open.client.closed;
      await until(() => open.server.connections === 0);
    },
  );

  test.each([
    [0x0000, 400, "0x0000: it is no request"],
    [0x0033, 400, "0x0033: standard input came, but no exec runs"],
    [0x1001, 400, "0x1001: it is no request"],
    [0x1030, 400, "0x1030: it is no request"],
    [0xffff, 400, "0xffff: it is no request"],
    [0x000b, 501, "no service has MmapReadFile"],
    [0x0040, 501, "method Checkpoint"],
  ])("number %d is refused and the connection goes on", async (type, code, text) => {
    await using open = await opened();
    open.client.frame(type, "", "t");
    const answer = await open.client.next();
    expect([...errorOf(answer), answer.trace]).toEqual([code, text, "t"]);
    open.client.frame(1, ping);
    expect((await open.client.next()).type).toBe(0x1001);
  });

  test("what cannot be decoded is 400, and junk where nothing is looked at is not", async () => {
    await using open = await opened({ agent: { getSystemInfo: () => ({ hostname: "h" }) } });
    open.client.frame(1, Buffer.from("0aff", "hex"));
    expect(errorOf(await open.client.next())[0]).toBe(400);
    open.client.frame(2, Buffer.from("ffffff", "hex"));
    expect((await open.client.next()).type).toBe(0x1002);
  });

  test("a trace longer than the body is no trace and no payload", async () => {
    await using open = await opened();
    const bytes = frameBytes(1, ping);
    bytes.writeUInt16BE(500, 8);
    open.client.send(bytes);
    expect(await open.client.next()).toEqual({ type: 0x1001, trace: "", payload: "0a06706f6e673a20" });
  });

  test.each([
    ["too short", "00000005000000010000"],
    ["over the limit", "01000001"],
  ])("a length that is %s closes the connection", async (_, hex) => {
    await using open = await opened();
    open.client.send(Buffer.from(hex, "hex"));
    await open.client.closed;
    await until(() => open.server.connections === 0);
  });

  test("a frame that never comes to its end closes the connection", async () => {
    await using open = await opened({}, { limits: { frameMs: 20 } });
    open.client.send(frameBytes(1, ping).subarray(0, 11));
    await open.client.closed;
    await until(() => open.server.connections === 0);
  });

  test("connections over the limit are closed, and the others work", async () => {
    await using open = await opened({}, { limits: { connections: 1 } });
    const more = await rawClient(open.address);
    await more.closed;
    open.client.frame(1, ping);
    expect((await open.client.next()).type).toBe(0x1001);
  });

  test("errors of handlers have HTTP's numbers", async () => {
    await using open = await opened({
      agent: {
        ping: ({ message }) => {
          throw message === "x" ? new RpcError(Code.NotFound, "no x") : "text";
        },
      },
    });
    open.client.frame(1, ping);
    expect(errorOf(await open.client.next())).toEqual([404, "no x"]);
    open.client.frame(1);
    expect(errorOf(await open.client.next())).toEqual([500, "text"]);
  });
});

describe("clients that leave", () => {
  test("fire the signal of the handler; one that goes on nevertheless keeps no connection", async () => {
    const fired = Promise.withResolvers<unknown>();
    const release = Promise.withResolvers<void>();
    await using open = await opened({
      agent: {
        async ping(_, { signal }) {
          signal.addEventListener("abort", () => fired.resolve(signal.reason));
          await release.promise;
          return {};
        },
      },
    });
    open.client.frame(1, ping);
    await until(() => open.server.runningCalls === 1);
    open.client.destroy();
    expect(await fired.promise).toMatchObject({ code: Code.Canceled });
    await until(() => open.server.connections === 0);
    expect(open.server.runningCalls).toBe(1);
    release.resolve();
    await until(() => open.server.runningCalls === 0);
  });

  test("closing the server waits for calls, then cuts them, whatever handlers do", async () => {
    await using open = await opened({ agent: { ping: () => new Promise(() => {}) } });
    open.client.frame(1, ping);
    await until(() => open.server.runningCalls === 1);
    await open.server.close({ graceMs: 10 });
    await open.client.closed;
    expect(open.server.connections).toBe(0);
  });

  test("a closing server answers what it has begun", async () => {
    const release = Promise.withResolvers<void>();
    await using open = await opened({
      agent: {
        async ping() {
          await release.promise;
          return { message: "done" };
        },
      },
    });
    open.client.send(frameBytes(1, ping), frameBytes(1, ping));
    await until(() => open.server.runningCalls === 1);
    const closed = open.server.close();
    release.resolve();
    expect((await open.client.next()).payload).toBe("0a04646f6e65");
    await expect(open.client.next()).rejects.toThrow("ended");
    open.client.end();
    await closed;
  });
});

describe("exec", () => {
  test("another frame than input while it runs closes the connection", async () => {
    const failed = Promise.withResolvers<unknown>();
    await using open = await opened({
      sandbox: {
        async *exec(requests) {
          try {
            for await (const _ of requests);
          } catch (error) {
            failed.resolve(error);
            throw error;
          }
          yield {};
        },
      },
    });
    open.client.send(frameBytes(0x31), frameBytes(0x33, "x"), frameBytes(0x01));
    expect(await failed.promise).toMatchObject({ code: Code.Internal, reason: "protocol" });
    await open.client.closed;
  });

  test("the last output arrives although input is under way, and then the connection is closed", async () => {
    await using open = await opened({
      sandbox: {
        async *exec() {
          yield { stream: "exit", exitCode: 5, done: true };
        },
      },
    });
    open.client.send(
      frameBytes(0x31),
      frameBytes(0x33, Buffer.alloc(500_000)),
      frameBytes(0x33, Buffer.alloc(500_000)),
    );
    expect(await open.client.next()).toMatchObject({ type: 0x1036, payload: "0a04657869741805" + "2001" });
    await open.client.closed;
    open.client.end();
    await until(() => open.server.connections === 0);
  });

  test("input that the handler does not read is held back", async () => {
    await using open = await opened({
      sandbox: {
        async *exec(_, { signal }) {
          yield { stream: "stdout" };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      },
    });
    open.client.send(frameBytes(0x31));
    await open.client.next();
    const piece = frameBytes(0x33, Buffer.alloc(1 << 20));
    let written = 0;
    while (written < 64 && open.client.stream.write(piece)) written++;
    for (let i = 0; i < 20; i++) open.client.stream.write(piece);
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    // What the server holds is bounded, so most of it stays with the client.
    expect(open.client.stream.writableLength).toBeGreaterThan(15 << 20);
  });
});
