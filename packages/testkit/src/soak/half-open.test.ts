// A server that is there and does nothing (SIGSTOP), as a frozen VM is: calls with a deadline end in time, and keepalive finds out.
import { once } from "node:events";
import { createConnection } from "node:net";
import { Code, createClient, type RpcError } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EchoService } from "../echo/index.js";
import { watchHandles } from "../handles.js";
import { type TempFolder, tempFolder } from "../temp-folder.js";
import { LoopStall } from "./loop-stall.js";
import { type Program, startProgram } from "./programs.js";

let folder: TempFolder;
let server: Program;
let address: string;
let allClosed: () => Promise<void>;

async function startServer(): Promise<Program> {
  const started = startProgram("server-process");
  address = await started.ask<string>({ ask: "listen", address: `unix://${folder.file("s")}` });
  return started;
}

beforeEach(async () => {
  folder = await tempFolder();
  allClosed = watchHandles();
  server = await startServer();
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await allClosed();
  await folder[Symbol.asyncDispose]();
});

async function failure(call: PromiseLike<unknown>): Promise<RpcError> {
  return await Promise.resolve(call).then(
    () => {
      throw new Error("the call did not fail");
    },
    (error: RpcError) => error,
  );
}

test("calls with a deadline end in time while the server is stopped, and are served again afterwards", async () => {
  const stall = new LoopStall();
  stall.start();
  const channel = connect(address);
  const client = createClient(EchoService, channel);
  await client.echo({ text: "before" });
  server.kill("SIGSTOP");
  for (const timeoutMs of [1, 50, 300]) {
    const began = performance.now();
    const error = await failure(client.echo({ text: "nobody hears" }, { timeoutMs }));
    const due = began + timeoutMs;
    expect([error.code, error.reason]).toEqual([Code.DeadlineExceeded, "deadline"]);
    expect(performance.now() - due).toBeLessThan(50 + stall.since(due));
  }
  const stream = client.chat([{ text: "a" }], { timeoutMs: 100 });
  expect((await failure(stream.next())).reason).toBe("deadline");
  server.kill("SIGCONT");
  // Without keepalive it is the same connection, on which the late answers count for nothing.
  expect((await client.echo({ text: "after" })).text).toBe("after");
  expect(await server.ask({ ask: "counts" })).toMatchObject({ connections: 1 });
  await channel.close();
  stall.stop();
});

test("keepalive closes the connection to a stopped server, and the next call is served when it goes on", async () => {
  const channel = connect(address, { waitForReady: true, keepalive: { timeMs: 100, timeoutMs: 100 } });
  const client = createClient(EchoService, channel);
  await client.echo({ text: "before" });
  server.kill("SIGSTOP");
  // Neither of them has a deadline.
  const [unary, stream] = await Promise.all([failure(client.hang({})), failure(client.chat([]).next())]);
  expect([unary.code, unary.reason]).toEqual([Code.Unavailable, "connection_closed"]);
  expect([stream.code, stream.reason]).toEqual([Code.Unavailable, "connection_closed"]);
  // The kernel takes the new connection; as long as nobody answers on it, it is given up too.
  expect((await failure(client.echo({ text: "during" }))).reason).toBe("connection_closed");
  server.kill("SIGCONT");
  let answer = "";
  while (answer === "") {
    // On a busy machine a server that has just been waked may be too slow for so impatient a client.
    answer = await client.echo({ text: "after" }).then(
      ({ text }) => text,
      ({ reason }: RpcError) => (reason === "connection_closed" ? "" : `${reason}`),
    );
  }
  expect(answer).toBe("after");
  await channel.close();
});

test("keepalive finds a new server in place of the stopped one", async () => {
  const channel = connect(address, { waitForReady: true, keepalive: { timeMs: 100, timeoutMs: 2000 } });
  const client = createClient(EchoService, channel);
  await client.echo({ text: "before" });
  const stopped = server;
  stopped.kill("SIGSTOP");
  const error = await failure(client.hang({}));
  expect(error.reason).toBe("connection_closed");
  await stopped[Symbol.asyncDispose]();
  // While there is none, calls wait.
  const waiting = client.echo({ text: "after" });
  server = await startServer();
  expect((await waiting).text).toBe("after");
  await channel.close();
});

test("300 connections that send a byte now and then do not disturb another client", async () => {
  // A request of 40 bytes that never gets whole, a byte at a time.
  const header = Buffer.from([0, 0, 0, 30, 0, 0, 0, 1, 1, 0, ...Array<number>(29).fill(10)]);
  const sockets = Array.from({ length: 300 }, () => createConnection(folder.file("s")));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const channel = connect(address);
  const client = createClient(EchoService, channel);
  const quickest = async (): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 100; i++) {
      const began = performance.now();
      await client.echo({ text: `${i}` }, { timeoutMs: 30_000 });
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[50] as number;
  };
  await quickest();
  const alone = await quickest();
  let at = 0;
  const dripping = setInterval(() => {
    for (const socket of sockets) socket.write(header.subarray(at % header.length, (at % header.length) + 1));
    // The last byte is never sent.
    if (++at === header.length - 1) clearInterval(dripping);
  }, 20);
  const beside = await quickest();
  while (at < 5) await quickest();
  clearInterval(dripping);
  expect(await server.ask({ ask: "counts" })).toEqual({ connections: 301, runningCalls: 0 });
  // Half of the calls at least know nothing of it; a busy machine gets some milliseconds on top.
  expect(beside).toBeLessThan(alone * 10 + 20);
  for (const socket of sockets) socket.destroy();
  while ((await server.ask<{ connections: number }>({ ask: "counts" })).connections > 1) await quickest();
  await channel.close();
});

test("connections whose frame does not get whole are closed after frameMs, each alone", async () => {
  process.env["SOAK_FRAME_MS"] = "300";
  try {
    await server[Symbol.asyncDispose]();
    server = await startServer();
  } finally {
    delete process.env["SOAK_FRAME_MS"];
  }
  const channel = connect(address);
  const client = createClient(EchoService, channel);
  await client.echo({ text: "before" });
  const sockets = Array.from({ length: 300 }, () => createConnection(folder.file("s")));
  const closed = sockets.map((socket) => once(socket, "close"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  // Half of them only begin a frame; the others are idle, which is allowed.
  for (const socket of sockets.slice(0, 150)) socket.write(Buffer.from([0]));
  for (const socket of sockets.slice(0, 150)) socket.resume();
  await Promise.all(closed.slice(0, 150));
  expect((await client.echo({ text: "after" })).text).toBe("after");
  expect(await server.ask({ ask: "counts" })).toMatchObject({ connections: 151 });
  for (const socket of sockets) socket.destroy();
  await channel.close();
});
