// Sockets and their files misbehaving: resets in every state, files that are gone, replaced or none, no descriptors left.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { rename, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Code, createClient, createPushStream, type RpcError } from "@guestwire/rpc";
import {
  EchoService,
  echoHandlers,
  encodeFrames,
  type RawPart,
  rawPeer,
  tempFolder,
  turns,
  watchHandles,
} from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../src/channel.js";
import { serve } from "../../src/server.js";
import { failure } from "../support/calling.js";
import { dataFrame, echo, emptyData, requestFrame, responseFrame, say } from "../support/wire.js";

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

const hello = encodeFrames([requestFrame(1, "Echo", { payload: echo({ text: "hello" }) })]);

describe("a client's reset", () => {
  test.each<[state: string, sent: RawPart[]]>([
    ["before its first byte", []],
    ["in a header", [hello.subarray(0, 5)]],
    ["in the data", [hello.subarray(0, 20)]],
    ["behind a request", [hello]],
    ["while a unary call runs", [requestFrame(1, "Hang")]],
    ["while a stream is open", [requestFrame(1, "Chat", { flags: 6 }), dataFrame(1, "x")]],
    ["while its side of a stream is closed", [requestFrame(1, "Join", { flags: 6 }), emptyData(1, 5)]],
    ["while the server sends", [requestFrame(1, "Split", { flags: 1, payload: Buffer.from("08c0843d", "hex") })]],
  ])("%s ends its calls, and the server serves on", async (_, sent) => {
    const server = serve().service(EchoService, echoHandlers);
    const [, port] = (await server.listen("tcp://127.0.0.1:0")).split(/:(?=\d+$)/);
    const socket: Socket = createConnection(Number(port), "127.0.0.1");
    await once(socket, "connect");
    while (server.connections === 0) await turns(1);
    const peer = rawPeer(socket);
    if (sent.length > 0) peer.send(...sent);
    await turns(5);
    socket.resetAndDestroy();
    while (server.connections + server.runningCalls > 0) await turns(1);
    const other = rawPeer(createConnection(Number(port), "127.0.0.1"));
    other.send(hello);
    expect(say(await other.next())).toBe("response 1: hello");
    other.destroy();
    await server.close();
  });
});

describe("a server's reset", () => {
  const whole = encodeFrames([responseFrame(1, echo({ text: "a" }))]);

  test.each<[state: string, answer: Uint8Array]>([
    ["before it has sent a byte", new Uint8Array(0)],
    ["in a header", whole.subarray(0, 5)],
    ["in the data", whole.subarray(0, 12)],
    ["behind an answer", encodeFrames([responseFrame(9, new Uint8Array(0))])],
  ])("%s fails all its calls at once, and the next call makes a connection", async (_, answer) => {
    let refuse = true;
    const server = createServer((socket) => {
      const peer = rawPeer(socket);
      socket.once("data", () => {
        if (!refuse) return peer.send(whole);
        if (answer.length > 0) peer.send(answer);
        setImmediate(() => socket.resetAndDestroy());
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const channel = connect(`tcp://127.0.0.1:${(server.address() as { port: number }).port}`);
    const client = createClient(EchoService, channel);
    const calls = [
      client.echo({}),
      client.split({}).next(),
      client.join(createPushStream<object>()),
      client.chat(createPushStream<object>()).next(),
    ];
    for (const error of await Promise.all(calls.map(failure)))
      expect(error).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
    refuse = false;
    expect((await client.echo({})).text).toBe("a");
    await channel.close();
    server.close();
  });
});

describe("a socket's file", () => {
  async function fails(address: string): Promise<RpcError> {
    const channel = connect(address);
    const error = await failure(createClient(EchoService, channel).echo({}));
    await channel.close();
    return error;
  }

  test("that is not there, is no socket, or lies in no folder cannot be connected to", async () => {
    await using folder = await tempFolder();
    await writeFile(folder.file("plain"), "");
    for (const [file, code] of [
      ["none", "ENOENT"],
      ["plain", "ECONNREFUSED"],
      ["plain/below", "ENOTDIR"],
    ] as const) {
      const error = await fails(`unix:${folder.file(file)}`);
      expect([file, error.reason, (error.cause as NodeJS.ErrnoException).code]).toEqual([file, "connect_failed", code]);
      expect([Code.Unavailable, Code.FailedPrecondition]).toContain(error.code);
    }
  });

  test("whose path has 108 bytes is refused before anything is opened", () => {
    expect(() => connect(`unix:///${"x".repeat(107)}`)).toThrow(/the path has 108 bytes; a socket's may have 107/);
  });

  test("that is replaced leads new connections to the new server, and leaves old ones alone", async () => {
    await using folder = await tempFolder();
    const named = (name: string) => serve().service(EchoService, { ...echoHandlers, echo: () => ({ text: name }) });
    const [first, second] = [named("first"), named("second")];
    await first.listen(`unix:${folder.file("a.sock")}`);
    const channel = connect(`unix:${folder.file("a.sock")}`, { backoff: { initialMs: 1, maxMs: 5 } });
    const client = createClient(EchoService, channel);
    expect((await client.echo({})).text).toBe("first");
    await second.listen(`unix:${folder.file("b.sock")}`);
    await rename(folder.file("b.sock"), folder.file("a.sock"));
    expect((await client.echo({})).text).toBe("first");
    const other = connect(`unix:${folder.file("a.sock")}`);
    expect((await createClient(EchoService, other).echo({})).text).toBe("second");
    await rm(folder.file("a.sock"));
    expect((await createClient(EchoService, other).echo({})).text).toBe("second");
    for (const end of [channel, other, first, second]) await end.close();
  });
});

test("without descriptors dialing fails alone, accepting goes on later, and a stranger is not let in", async () => {
  await using folder = await tempFolder();
  const support = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
  const run = `ulimit -n 96 && exec "$0" --import "$1" "$2" "$3"`;
  const { stdout } = await promisify(execFile)("/bin/sh", [
    ...[
      "-c",
      run,
      process.execPath,
      support("run-source.mjs"),
      support("few-descriptors.ts"),
      `unix:${folder.file("a.sock")}`,
    ],
  ]);
  const seen = JSON.parse(stdout);
  expect(seen).toMatchObject({ served: true, steadily: "still", after: "again", fileLeft: false });
  // A server that cannot take a connection closes it; a client that cannot make one is told why.
  for (const outcome of seen.failed)
    expect(outcome).toMatch(/^unavailable (connect_failed EMFILE|connection_closed (undefined|ECONNRESET|EPIPE))$/);
  expect(seen.failed).toContain("unavailable connect_failed EMFILE");
  expect(["not root", "unavailable connect_failed EACCES"]).toContain(seen.denied);
});
