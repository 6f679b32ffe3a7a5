// Waiting on real sockets: servers that come late, say nothing, hang up or are of another kind, and guests behind a
// VMM.
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import type { DialAttempt } from "@guestwire/rpc/transport";
import { EchoService, echoHandlers, FakeClock, type TempFolder, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { type Server, serve } from "./server.js";
import { kataReady, probe, waitReady } from "./wait-ready.js";

// As long as it takes on a busy machine.
const patient = { timeoutMs: 50_000 };

let folder: TempFolder;
let allClosed: () => Promise<void>;
let server: Server;
let sockets: Socket[];
let listening: NetServer[];

beforeEach(async () => {
  allClosed = watchHandles();
  folder = await tempFolder();
  server = serve().service(EchoService, echoHandlers);
  sockets = [];
  listening = [];
});

afterEach(async () => {
  await server.close({ graceMs: 0 });
  for (const socket of sockets) socket.destroy();
  for (const own of listening) await new Promise((resolve) => own.close(resolve));
  await folder[Symbol.asyncDispose]();
  await allClosed();
});

/** Listens on a path; what happens to each connection is the function's affair. */
async function listen(path: string, accept: (socket: Socket, number: number) => void): Promise<void> {
  const own = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    accept(socket, sockets.length);
  });
  listening.push(own);
  own.listen(path);
  await once(own, "listening");
}

function failure(promise: Promise<unknown>): Promise<RpcError> {
  return promise.then(() => new RpcError(Code.Unknown, "it did not fail"), RpcError.from);
}

const none = async (): Promise<void> => {
  while (server.connections > 0) await new Promise((resolve) => setImmediate(resolve));
};

describe("our server", () => {
  test.each(["unix", "unix-abstract", "tcp"])("is ready on %s, and its calls work", async (kind) => {
    const address = await server.listen(
      { unix: `unix://${folder.file("a.sock")}`, "unix-abstract": `unix:@${folder.file("a")}` }[kind] ??
        "tcp://127.0.0.1:0",
    );
    const { attempts } = await waitReady(address, patient);
    expect(attempts).toBeGreaterThanOrEqual(2);
    await none();
    await using channel = connect(address);
    expect((await createClient(EchoService, channel).echo({ text: "a" })).text).toBe("a");
  });

  test("that comes up after some attempts is found", async () => {
    const address = `unix://${folder.file("a.sock")}`;
    const told: DialAttempt[] = [];
    let up: Promise<string> | undefined;
    const onAttempt = (attempt: DialAttempt) => {
      if (told.push(attempt) === 3) up = server.listen(address);
    };
    const { attempts, elapsedMs } = await waitReady(address, { ...patient, onAttempt });
    await up;
    expect(told.slice(0, 3).map(({ error }) => error)).toMatchObject(Array(3).fill({ code: "ENOENT" }));
    expect(attempts).toBe(told.length + 1);
    // Three pauses at the least: 5, 10 and 20 ms; timers may be a little early.
    expect(elapsedMs).toBeGreaterThan(30);
    await none();
  });

  test("lets all connections of a thousand probes go", async () => {
    const address = await server.listen(`unix://${folder.file("a.sock")}`);
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 50 }, () => probe(address, { answerTimeoutMs: 50_000 })));
    }
    await none();
    expect(server.runningCalls).toBe(0);
  });
});

describe("another server", () => {
  test("that accepts and says nothing, as a paused guest, is left in time", async () => {
    const clock = new FakeClock(0);
    const asked = Promise.withResolvers<Socket>();
    await listen(folder.file("a.sock"), (socket) => {
      socket.once("data", () => asked.resolve(socket));
    });
    const error = failure(waitReady(`unix://${folder.file("a.sock")}`, { timeoutMs: 49, clock }));
    const socket = await asked.promise;
    clock.advance(49);
    expect(await error).toMatchObject({ code: Code.DeadlineExceeded });
    if (!socket.destroyed) await once(socket, "close");
    expect(clock.pending).toBe(0);
  });

  test("that says nothing is left at once with the signal", async () => {
    const stop = new AbortController();
    const clock = new FakeClock(0);
    const asked = Promise.withResolvers<Socket>();
    await listen(folder.file("a.sock"), (socket) => {
      socket.once("data", () => asked.resolve(socket));
    });
    const error = failure(waitReady(`unix://${folder.file("a.sock")}`, { clock, signal: stop.signal }));
    const socket = await asked.promise;
    stop.abort();
    expect(await error).toMatchObject({ code: Code.Canceled });
    if (!socket.destroyed) await once(socket, "close");
    expect(clock.pending).toBe(0);
  });

  test("that closes at once is asked again until it is another", async () => {
    const path = folder.file("a.sock");
    await listen(path, (socket, number) => {
      if (number <= 3) socket.destroy();
      else server.attach(socket);
    });
    const texts: string[] = [];
    const onAttempt = ({ error }: DialAttempt) => texts.push((error as Error | undefined)?.message ?? "answered");
    await waitReady(`unix://${path}`, { ...patient, onAttempt });
    // A close may be seen as an end or, before the question was sent, as EPIPE: both are the close.
    expect(texts.slice(0, 3)).toEqual(Array(3).fill("it closed the connection without an answer"));
    await none();
  });

  test("that speaks HTTP/2 is told apart", async () => {
    const http = createHttp2Server();
    listening.push(http as unknown as NetServer);
    http.on("session", (session) => session.on("error", () => {}));
    http.listen(folder.file("h.sock"));
    await once(http, "listening");
    const error = await failure(waitReady(`unix://${folder.file("h.sock")}`, patient));
    expect(error).toMatchObject({ code: Code.Internal, reason: "protocol" });
    expect(error.rawMessage).toContain("is not ready: it answers, but is no ttrpc server");
  });
});

describe("a guest behind a VMM", () => {
  test("that comes up is found: no socket, nobody listens, no answer to the handshake, none to the probe, ready", async () => {
    const path = folder.file("v.sock");
    const clock = new FakeClock(0);
    const script = async (socket: Socket, number: number): Promise<void> => {
      expect(String((await once(socket, "data"))[0])).toBe("CONNECT 1025\n");
      if (number <= 2) return void socket.end();
      if (number === 3) return clock.advance(100);
      socket.write("OK 1073741824\n");
      if (number > 4) return server.attach(socket);
      expect((await once(socket, "data"))[0]).toHaveLength(10);
      clock.advance(50);
    };
    const failures: unknown[] = [];
    const seen: [at: number, code: string][] = [];
    const onAttempt = async ({ attempt, error, elapsedMs, nextMs }: DialAttempt) => {
      seen.push([elapsedMs, (error as { code?: string } | undefined)?.code ?? "answered"]);
      if (attempt === 2) {
        await listen(path, (socket, number) => void script(socket, number).catch((thrown) => failures.push(thrown)));
      }
      // The pause begins when this returns.
      setImmediate(() => clock.advance(nextMs));
    };
    const ready = await waitReady(`hvsock://${path}:1025`, { clock, onAttempt: (attempt) => void onAttempt(attempt) });
    expect(failures).toEqual([]);
    expect(seen).toEqual([
      [0, "ENOENT"],
      [5, "ENOENT"],
      [15, "ERR_VSOCK_HYBRID_CLOSED"],
      [35, "ERR_VSOCK_HYBRID_CLOSED"],
      [155, "ETIMEDOUT"],
      [225, "ETIMEDOUT"],
      [245, "answered"],
    ]);
    expect(ready).toEqual({ elapsedMs: 250, attempts: 8 });
    expect(clock.pending).toBe(0);
    await none();
  });

  test("is ready for kata when the handshake is done", async () => {
    const path = folder.file("v.sock");
    await listen(path, (socket) => socket.once("data", () => socket.write("OK 1\n")));
    const { attempts } = await waitReady(`hvsock://${path}:1024`, { timings: kataReady });
    expect(attempts).toBeGreaterThan(0);
  });

  test("that answers the handshake with something else is given up at once", async () => {
    const path = folder.file("v.sock");
    await listen(path, (socket) => socket.once("data", () => socket.end("SORRY\n")));
    const error = await failure(waitReady(`hvsock://${path}:1025`, patient));
    expect(error).toMatchObject({ code: Code.Unavailable, cause: { code: "ERR_VSOCK_HYBRID_REPLY" } });
    expect(error.rawMessage).toContain("(1 attempt in ");
  });
});
