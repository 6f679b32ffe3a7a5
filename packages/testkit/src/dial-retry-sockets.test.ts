// Dialing until somebody answers, with real sockets: servers that come up late, hybrid vsocks that hang up or wait.
import { EventEmitter, once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import { type DialAttempt, type DialPolicy, dialWithRetry, kataDial, spinboxDial } from "@guestwire/rpc/transport";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { FakeClock } from "./fake-clock.js";
import { watchHandles } from "./handles.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

let clock: FakeClock;
let allClosed: () => Promise<void>;
let folder: TempFolder;
let server: Server;
let accepted: Socket[];

beforeEach(async () => {
  clock = new FakeClock(0);
  allClosed = watchHandles();
  folder = await tempFolder();
  accepted = [];
  server = createServer((socket) => {
    accepted.push(socket.on("error", () => {}));
    server.emit("accepted", socket);
  });
});

afterEach(async () => {
  for (const socket of accepted) socket.destroy();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
  await folder[Symbol.asyncDispose]();
  await allClosed();
  expect(clock.pending).toBe(0);
});

function failure(promise: Promise<unknown>): Promise<RpcError> {
  return promise.then(() => new RpcError(Code.Unknown, "it did not fail"), RpcError.from);
}

/** Starts to dial; `failed` gives the next failure. */
function start(address: string, policy: DialPolicy, signal?: AbortSignal) {
  const queue: unknown[] = [];
  let wake = () => {};
  const onAttempt = ({ error }: DialAttempt) => {
    queue.push(error);
    wake();
  };
  const dialed = dialWithRetry(address, { policy, clock, onAttempt, ...(signal && { signal }) });
  const failed = async () => {
    while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return queue.shift();
  };
  return { dialed, failed };
}

async function listen(path: string): Promise<void> {
  server.listen(path);
  await once(server, "listening");
}

test("a server that comes up later is found, with a new socket", async () => {
  const path = folder.file("a.sock");
  const { dialed, failed } = start(`unix://${path}`, spinboxDial);
  expect(await failed()).toMatchObject({ code: "ENOENT" });
  clock.advance(20);
  expect(await failed()).toMatchObject({ code: "ENOENT" });
  await listen(path);
  clock.advance(40);
  const socket = await dialed;
  if (accepted.length === 0) await once(server, "accepted");
  accepted[0]?.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("hello");
  expect(accepted).toHaveLength(1);
  socket.destroy();
});

test("a hybrid vsock that hangs up, then does not answer, then answers", async () => {
  const path = folder.file("v.sock");
  await listen(path);
  const { dialed, failed } = start(`hvsock://${path}:1024`, kataDial);
  const [first] = (await once(server, "accepted")) as [Socket];
  expect(String((await once(first, "data"))[0])).toBe("CONNECT 1024\n");
  first.end();
  expect(await failed()).toMatchObject({ code: "ERR_VSOCK_HYBRID_CLOSED" });
  clock.advance(25);
  // As a paused guest; the window of 50 ms ends it, and the VMM sees the socket go.
  const [second] = (await once(server, "accepted")) as [Socket];
  await once(second, "data");
  second.resume();
  clock.advance(50);
  expect(await failed()).toMatchObject({ code: "ETIMEDOUT", message: "no connection within 50 ms" });
  await once(second, "close");
  clock.advance(0);
  const [third] = (await once(server, "accepted")) as [Socket];
  await once(third, "data");
  third.write("OK 1073741824\nfirst bytes");
  const socket = await dialed;
  expect(String((await once(socket, "data"))[0])).toBe("first bytes");
  socket.destroy();
});

test("a hybrid vsock has the whole window for its answer, however long that is", async () => {
  const path = folder.file("v.sock");
  await listen(path);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { dialed } = start(`hvsock://${path}:1024`, { ...kataDial, attempt: { initialMs: 10_000, maxMs: 10_000 } });
  const [vmm] = (await once(server, "accepted")) as [Socket];
  await once(vmm, "data");
  vi.advanceTimersByTime(9000);
  vmm.write("OK 1\n");
  (await dialed).destroy();
});

test("a socket that a function gives while it connects is waited for, and one that fails is followed by another", async () => {
  const path = folder.file("a.sock");
  const told = new EventEmitter();
  const dialed = dialWithRetry(() => createConnection(path), {
    policy: spinboxDial,
    clock,
    onAttempt: ({ error }) => told.emit("attempt", error),
  });
  expect((await once(told, "attempt"))[0]).toMatchObject({ code: "ENOENT" });
  await listen(path);
  clock.advance(20);
  const socket = await dialed;
  expect(socket.connecting).toBe(false);
  socket.destroy();
});

test("a socket that never connects is given up with its attempt, and destroyed", async () => {
  const stuck = Object.assign(new PassThrough(), { connecting: true });
  const error = failure(dialWithRetry(() => stuck, { policy: { ...spinboxDial, timeoutMs: 100 }, clock }));
  await clock.elapse(100);
  expect(await error).toMatchObject({ code: Code.DeadlineExceeded });
  expect(stuck.destroyed).toBe(true);
  expect(stuck.listenerCount("connect")).toBe(0);
});

test("a hybrid vsock whose answer is none fails at once", async () => {
  const path = folder.file("v.sock");
  await listen(path);
  const { dialed } = start(`hvsock://${path}:1024`, kataDial);
  const error = failure(dialed);
  const [vmm] = (await once(server, "accepted")) as [Socket];
  vmm.write("HTTP/1.1 400 Bad Request\r\n");
  expect(await error).toMatchObject({ code: Code.Unavailable, cause: { code: "ERR_VSOCK_HYBRID_REPLY" } });
  expect((await error).rawMessage).toContain("(1 attempt in 0 ms)");
});

test("a signal that fires during a handshake closes the socket", async () => {
  const path = folder.file("v.sock");
  await listen(path);
  const stop = new AbortController();
  const { dialed } = start(`hvsock://${path}:1024`, kataDial, stop.signal);
  const error = failure(dialed);
  const [vmm] = (await once(server, "accepted")) as [Socket];
  vmm.resume();
  stop.abort(new Error("enough"));
  expect((await error).code).toBe(Code.Canceled);
  await once(vmm, "close");
});
