// Connections on the real system: refused, given up, tried again.
import { once } from "node:events";
import { createConnection } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { Worker } from "node:worker_threads";
import { Code, RpcError } from "@guestwire/rpc";
import { rawListen, type TempFolder, tempFolder, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ConnectTarget, dialerFor } from "./dial.js";
import type { Link } from "./link.js";

let folder: TempFolder;
let allClosed: () => Promise<void>;
const never = new AbortController().signal;

beforeEach(async () => {
  allClosed = watchHandles();
  folder = await tempFolder();
});

afterEach(async () => {
  await folder[Symbol.asyncDispose]();
  await allClosed();
});

/** Ends a link and waits until it has. */
function close(link: Link): Promise<Error | undefined> {
  return new Promise((resolve) => {
    link.start({ received() {}, drained() {}, closed: resolve });
    link.destroy();
  });
}

function thrown(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("an address", () => {
  test("is dialed, each time anew", async () => {
    await using server = await rawListen(folder.file("a.sock"));
    const dialer = dialerFor(`unix:${folder.file("a.sock")}`);
    expect(dialer.target).toBe(`unix://${folder.file("a.sock")}`);
    for (let i = 0; i < 2; i++) {
      const link = await dialer.dial(never);
      expect(link.peer).toEqual({ kind: "unix", address: dialer.target });
      const peer = await server.accept();
      await close(link);
      await peer.closed;
    }
  });

  test("that nobody listens on is refused by the system", async () => {
    await expect(dialerFor(`unix:${folder.file("a.sock")}`).dial(never)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(dialerFor("unix:@gw-nobody-here").dial(never)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(dialerFor("tcp://127.0.0.1:1").dial(never)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("of a monitor that is not there is refused by the system", async () => {
    const dialer = dialerFor(`hvsock://${folder.file("v.sock")}:52`);
    await expect(dialer.dial(never)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("that only a server can use is refused before anything is dialed", () => {
    expect(thrown(() => dialerFor("vsock://any:1024"))).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: 'vsock://any:1024: "any" is where to listen; to connect, name a cid',
    });
  });

  test("that is wrong is refused before anything is dialed", () => {
    expect(thrown(() => dialerFor("unix:a"))).toMatchObject({ code: Code.InvalidArgument });
  });

  test("a descriptor is one connection and no second one", async () => {
    const dialer = dialerFor("fd://2147483647");
    await expect(dialer.dial(never)).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
    await expect(dialer.dial(never)).rejects.toMatchObject({ code: Code.Unavailable });
  });
});

describe("a signal", () => {
  test("that has fired leaves nothing to be dialed", async () => {
    await using server = await rawListen(folder.file("a.sock"));
    const dialer = dialerFor(`unix:${folder.file("a.sock")}`);
    await expect(dialer.dial(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    expect(server.accepted).toEqual([]);
  });

  test("that fires while the connection is made gives it up", async () => {
    await using server = await rawListen(folder.file("a.sock"));
    const control = new AbortController();
    const dialing = dialerFor(`unix:${folder.file("a.sock")}`).dial(control.signal);
    control.abort(new Error("enough"));
    await expect(dialing).rejects.toThrow("enough");
    for (const peer of server.accepted) await peer.closed;
  });
});

describe("a socket whose queue is full", () => {
  test("is tried again until there is room, or until the signal fires", async () => {
    const path = folder.file("busy.sock");
    const flag = new Int32Array(new SharedArrayBuffer(4));
    // A server that listens and does not accept: its thread stands still.
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       const server = require("node:net").createServer((socket) => socket.resume());
       parentPort.once("message", () => { server.close(); process.exit(); });
       server.listen({ path: workerData.path, backlog: 1 }, () => {
         parentPort.postMessage("listening");
         Atomics.wait(workerData.flag, 0, 0);
       });`,
      { eval: true, workerData: { path, flag } },
    );
    await once(worker, "message");
    const dialer = dialerFor(`unix:${path}`);
    // Two fit into the queue, as the kernel counts from 0.
    const links = [await dialer.dial(never), await dialer.dial(never)];
    const control = new AbortController();
    const givenUp = dialer.dial(control.signal);
    const patient = dialer.dial(never);
    let settled = false;
    void patient.then(() => {
      settled = true;
    });
    // It has been refused at least once when a connection that began later was.
    await expect(refusedOnce(path)).resolves.toBe("EAGAIN");
    expect(settled).toBe(false);
    control.abort(new Error("enough"));
    await expect(givenUp).rejects.toThrow("enough");
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    links.push(await patient);
    await Promise.all(links.map(close));
    worker.postMessage("end");
    await once(worker, "exit");
  });
});

describe("a stream of the user's own", () => {
  test("is a connection once", async () => {
    const [ours] = duplexPair();
    const dialer = dialerFor(ours);
    expect(dialer.target).toBe("duplex:");
    const link = await dialer.dial(never);
    await expect(dialer.dial(never)).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the stream given to connect() has ended and cannot be opened again",
    });
    expect(await close(link)).toBeUndefined();
  });

  test("made by a function is a new one each time", async () => {
    const made: Duplex[] = [];
    const dialer = dialerFor(async () => {
      const [ours] = duplexPair();
      made.push(ours);
      return ours;
    });
    for (let i = 1; i <= 2; i++) {
      const link = await dialer.dial(never);
      expect(made).toHaveLength(i);
      await close(link);
      expect(made[i - 1]?.destroyed).toBe(true);
    }
  });

  test("is made by a function that is told when nobody waits any more", async () => {
    const stop = new AbortController();
    const told: AbortSignal[] = [];
    await dialerFor((signal) => {
      told.push(signal);
      return duplexPair()[0];
    })
      .dial(stop.signal)
      .then(close);
    expect(told).toEqual([stop.signal]);
  });

  test("that still connects is waited for, and its failure is the dial's", async () => {
    const dialer = dialerFor(() => createConnection("/nowhere/a.sock"));
    await expect(dialer.dial(never)).rejects.toMatchObject({ code: "ENOENT" });
    const closed = Object.assign(duplexPair()[0], { connecting: true });
    const dialed = dialerFor(() => closed).dial(never);
    closed.destroy();
    await expect(dialed).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("that is none is refused", async () => {
    const dialer = dialerFor((() => "no stream") as unknown as () => Duplex);
    await expect(dialer.dial(never)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "the function given to connect() did not return a Duplex",
    });
  });

  test.each([undefined, null, 5, {}])("a target that is %s is refused", (target) => {
    expect(thrown(() => dialerFor(target as unknown as ConnectTarget))).toBeInstanceOf(RpcError);
  });
});

function refusedOnce(path: string): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once("connect", () => resolve("connected"));
  });
}
