// dialHybrid against raw unix servers that answer as VMMs do, and as none should.
import { getEventListeners, once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { rawServer, rawVmm, readAll, socketPath } from "./hybrid.test.support.js";
import { dialHybrid } from "./hybrid-dial.js";

async function dialed(path: string, options = {}): Promise<Socket> {
  const socket = await dialHybrid({ path, port: 1024 }, options);
  onTestFinished(() => void socket.destroy());
  return socket;
}

describe("answers", () => {
  test.each([
    ["OK 1\n", 1],
    ["OK 1073741824\n", 1],
    ["OK 1073741824\r\n", 1],
    [`OK ${"7".repeat(60)}\n`, 1],
    ["OK 1073741824\n", 100],
  ])("%j is taken", async (reply, bytes) => {
    const path = socketPath();
    await rawVmm(path, async (vmm, command) => {
      expect(command).toBe("CONNECT 1024\n");
      for (let i = 0; i < reply.length; i += bytes) {
        vmm.write(reply.slice(i, i + bytes));
        await nextTurn();
      }
      vmm.end("payload");
    });
    expect((await readAll(await dialed(path))).toString()).toBe("payload");
  });

  test.each([
    ["ERR no such port\n", "REPLY", `the answer was "ERR no such port"`],
    ["\n", "REPLY", `the answer was ""`],
    ["OK\n", "REPLY", `the answer was "OK"`],
    ["OK \n", "REPLY", `"OK "`],
    ["OK  5\n", "REPLY", `"OK  5"`],
    ["ok 5\n", "REPLY", `"ok 5"`],
    ["OK 5 6\n", "REPLY", `"OK 5 6"`],
    ["OK -5\n", "REPLY", `"OK -5"`],
    ["NOT OK 5\n", "REPLY", `"NOT OK 5"`],
    ["OK 5\r\r\n", "REPLY", `"OK 5\\r\\r"`],
    ['\0\u00ff"\\\n', "REPLY", `"\\x00\\xff\\"\\\\"`],
    [`OK ${"7".repeat(61)}\n`, "REPLY", "no line within the first 64 bytes of the answer"],
    ["x".repeat(200), "REPLY", `"${"x".repeat(64)}"`],
    ["OK 12", "CLOSED", `it had sent "OK 12"`],
    ["", "CLOSED", "closed the connection before its answer"],
  ])("%j is refused", async (reply, code, text) => {
    const path = socketPath();
    await rawVmm(path, (vmm) => void vmm.end(reply, "latin1"));
    await expect(dialed(path)).rejects.toMatchObject({
      name: "Error",
      code: `ERR_VSOCK_HYBRID_${code}`,
      syscall: "connect",
      address: `hvsock://${path}:1024`,
      message: expect.stringMatching(new RegExp(`^connect hvsock://${path}:1024: `)),
    });
    await expect(dialed(path)).rejects.toThrow(text);
  });

  test("an answer without end is given up while it still comes", async () => {
    const path = socketPath();
    const closed = Promise.withResolvers<void>();
    await rawVmm(path, (vmm) => {
      vmm.on("close", () => closed.resolve());
      const pour = (): void => {
        while (vmm.writable && vmm.write("OK OK OK "));
      };
      vmm.on("drain", pour);
      pour();
    });
    await expect(dialed(path)).rejects.toMatchObject({ code: "ERR_VSOCK_HYBRID_REPLY" });
    await closed.promise;
  });

  test("a VMM that closes at once, with the command read or not, has closed", async () => {
    const path = socketPath();
    let act: (socket: Socket) => void = () => {};
    await rawServer(path, (vmm) => act(vmm));
    const acts: ((socket: Socket) => void)[] = [
      (vmm) => vmm.destroy(),
      (vmm) => vmm.end(),
      (vmm) => setImmediate(() => vmm.destroy()),
      (vmm) => vmm.once("readable", () => vmm.destroy()),
    ];
    for (act of acts) await expect(dialed(path)).rejects.toMatchObject({ code: "ERR_VSOCK_HYBRID_CLOSED" });
  });

  test("a reset before the answer has closed, and its cause says so", async () => {
    const path = socketPath();
    // Closing with bytes unread is what resets a unix connection.
    await rawServer(path, (vmm) => void setTimeout(() => vmm.destroy(), 20), { pauseOnConnect: true });
    await expect(dialed(path)).rejects.toMatchObject({
      code: "ERR_VSOCK_HYBRID_CLOSED",
      cause: { code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) },
    });
  });

  test("no answer ends in a timeout that says what came", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const path = socketPath();
    let answered = Promise.withResolvers<void>();
    let reply = "";
    await rawVmm(path, (vmm) => void vmm.write(reply, () => answered.resolve()));
    const cases: [string, object, number, string][] = [
      ["", {}, 5_000, "no answer within 5000 ms; the guest may be paused"],
      ["OK 1", { timeoutMs: 200 }, 200, `no answer within 200 ms; only "OK 1" came`],
    ];
    for (const [text, options, timeoutMs, what] of cases) {
      reply = text;
      answered = Promise.withResolvers();
      let over = false;
      const dialing = expect(dialed(path, options).finally(() => (over = true))).rejects.toMatchObject({
        code: "ERR_VSOCK_HYBRID_TIMEOUT",
        message: `connect hvsock://${path}:1024: ${what}`,
      });
      await answered.promise;
      for (let turn = 0; turn < 10; turn++) await nextTurn();
      vi.advanceTimersByTime(timeoutMs - 1);
      await nextTurn();
      expect(over).toBe(false);
      vi.advanceTimersByTime(1);
      await dialing;
      expect(vi.getTimerCount()).toBe(0);
    }
  });
});

describe("the command", () => {
  test("is the only thing sent before the answer, in one write", async () => {
    const path = socketPath();
    const chunks: string[] = [];
    await rawServer(path, (vmm) => {
      vmm.on("data", (chunk) => {
        chunks.push(chunk.toString());
        if (chunks.length === 1) setTimeout(() => vmm.write("OK 1\n"), 30);
        else vmm.end();
      });
    });
    const socket = await dialed(path);
    expect(chunks).toEqual(["CONNECT 1024\n"]);
    socket.write("payload");
    expect((await readAll(socket)).length).toBe(0);
    expect(chunks).toEqual(["CONNECT 1024\n", "payload"]);
  });

  test("can be in lower case", async () => {
    const path = socketPath();
    await rawVmm(path, (vmm, command) => void vmm.end(`OK 1\n${command}`));
    expect((await readAll(await dialed(path, { case: "lower" }))).toString()).toBe("connect 1024\n");
  });
});

describe("the unix socket", () => {
  test("that is missing or dead gives Node's own error", async () => {
    const path = socketPath();
    await expect(dialed(path)).rejects.toMatchObject({ code: "ENOENT", syscall: "connect", address: path });
    const worker = new Worker(
      `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.exit())`,
      { eval: true },
    );
    await once(worker, "exit");
    await expect(dialed(path)).rejects.toMatchObject({ code: expect.stringMatching(/^(ECONNREFUSED|ENOENT)$/) });
  });

  test("with a full backlog is tried again until there is room, time is up, or the signal fires", async () => {
    const path = socketPath();
    const gate = new Int32Array(new SharedArrayBuffer(4));
    // Listens with a backlog of 1 and accepts nothing until it is let go.
    const worker = new Worker(
      `const { workerData, parentPort } = require("node:worker_threads");
       const server = require("node:net").createServer((socket) => {
         socket.on("error", () => {});
         socket.once("data", () => socket.end("OK 1\\nhello"));
       });
       server.listen({ path: workerData.path, backlog: 1 }, () => {
         parentPort.postMessage("listening");
         Atomics.wait(workerData.gate, 0, 0);
       });`,
      { eval: true, workerData: { path, gate } },
    );
    onTestFinished(async () => {
      await worker.terminate();
    });
    await once(worker, "message");
    const waiting: Socket[] = [];
    for (let full = false; !full; ) {
      const socket = createConnection(path);
      waiting.push(socket);
      full = await Promise.race([
        once(socket, "connect").then(() => false),
        once(socket, "error").then(([error]) => {
          expect(error.code).toBe("EAGAIN");
          return true;
        }),
      ]).catch(() => true);
    }
    const late = dialed(path, { timeoutMs: 40 });
    await expect(late).rejects.toMatchObject({ code: "ERR_VSOCK_HYBRID_TIMEOUT", cause: { code: "EAGAIN" } });
    await expect(late).rejects.toThrow("the unix socket's backlog stayed full within 40 ms");
    const reason = new Error("enough");
    const stop = new AbortController();
    const stopped = dialed(path, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 20);
    await expect(stopped).rejects.toBe(reason);
    const patient = dialed(path, { timeoutMs: 30_000 });
    await nextTurn();
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    expect((await readAll(await patient)).toString()).toBe("hello");
    for (const socket of waiting) socket.destroy();
  });
});

describe("abort", () => {
  test("rejects with the signal's reason at every point, and closes the connection", async () => {
    const path = socketPath();
    const reason = { why: "any value" };
    let stop = new AbortController();
    let reply = "";
    let closed = Promise.withResolvers<void>();
    let onConnection = (): void => {};
    await rawServer(path, (vmm) => {
      onConnection();
      vmm.resume();
      if (reply !== "") vmm.write(reply, () => setImmediate(() => stop.abort(reason)));
      vmm.on("end", () => vmm.destroy());
      vmm.on("close", () => closed.resolve());
    });
    await expect(dialed(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

    const atOnce = dialed(path, { signal: stop.signal });
    stop.abort(reason);
    await expect(atOnce).rejects.toBe(reason);

    stop = new AbortController();
    onConnection = () => stop.abort(reason);
    closed = Promise.withResolvers();
    await expect(dialed(path, { signal: stop.signal })).rejects.toBe(reason);
    await closed.promise;

    stop = new AbortController();
    onConnection = () => {};
    reply = "OK 10737";
    closed = Promise.withResolvers();
    await expect(dialed(path, { signal: stop.signal })).rejects.toBe(reason);
    await closed.promise;
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  test("of a hundred attempts at once leaves nothing", async () => {
    const path = socketPath();
    await rawVmm(path, (vmm) => void vmm.write("OK"));
    const stop = new AbortController();
    const all = Array.from({ length: 100 }, () => dialed(path, { signal: stop.signal }));
    setTimeout(() => stop.abort(), 10);
    const settled = await Promise.allSettled(all);
    expect(settled.every((one) => one.status === "rejected" && one.reason === stop.signal.reason)).toBe(true);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });
});

test.each([
  [{ path: "", port: 1 }, {}, "the path of a hybrid vsock"],
  [{ path: "/a\0b", port: 1 }, {}, "holds a NUL"],
  [{ path: `/${"a".repeat(107)}`, port: 1 }, {}, "has 108 bytes"],
  [{ path: "/a", port: -1 }, {}, "the vsock port -1"],
  [{ path: "/a", port: 1.5 }, {}, "the vsock port 1.5"],
  [{ path: "/a", port: 2 ** 32 - 1 }, {}, "the vsock port 4294967295"],
  [{ path: "/a", port: 1 }, { timeoutMs: 0 }, "timeoutMs must be"],
  [{ path: "/a", port: 1 }, { timeoutMs: Number.NaN }, "timeoutMs must be"],
  [{ path: "/a", port: 1 }, { case: "both" as "upper" }, `case must be "upper" or "lower", not "both"`],
])("arguments %j %j are refused", async (address, options, text) => {
  const refused = dialHybrid(address, options);
  await expect(refused).rejects.toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
  await expect(refused).rejects.toThrow(text);
});
