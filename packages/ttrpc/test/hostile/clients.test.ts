// Clients that break every rule, against our server. It must not crash, not hang, not grow, and serve everyone else.
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import {
  EchoService,
  echoHandlers,
  encodeFrames,
  propertySeed,
  type RawPeer,
  rawConnect,
  rawFrame,
  rawPeer,
  tempFolder,
  turns,
  unhex,
  watchHandles,
} from "@guestwire/testkit";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { serve } from "../../src/server.js";
import { controlled, type Serving, startServing } from "../support/serving.js";
import { dataFrame, echo, emptyData, requestData, requestFrame, say } from "../support/wire.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

let serving: Serving;

afterEach(() => serving?.end());

function start(...given: Parameters<typeof startServing>): Serving {
  serving = startServing(...given);
  return serving;
}

/** Another client of the same server sees nothing of it all. */
async function othersAreServed(): Promise<void> {
  const other = serving.connect();
  other.send(requestFrame(1, "Echo", { payload: echo({ text: "other" }) }));
  expect(say(await other.next())).toBe("response 1: other");
  other.destroy();
}

describe("lengths that lie", () => {
  test.each(["01000000", "7fffffff", "80000000", "ffffffff"])(
    "%s ends the connection and nothing else",
    async (length) => {
      const { peer, server } = start();
      peer.send(requestFrame(1, "Hang"), unhex(`${length} 00000003 01 00`), requestFrame(5, "Echo"));
      await peer.closed;
      await turns();
      expect([server.connections, server.runningCalls]).toEqual([0, 0]);
      await othersAreServed();
    },
  );

  test("just over the limit is answered and passed over, without being held", async () => {
    const { peer } = start();
    const before = process.memoryUsage().arrayBuffers;
    peer.send(encodeFrames([rawFrame(1, 1, 0)], 0xff_ffff));
    expect(say(await peer.next())).toBe("error 8 on 1: message length 16777215 exceed maximum message size of 4194304");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
    for (let sent = 0; sent < 0xff_ffff; sent += 1 << 16) peer.send(Buffer.alloc(Math.min(1 << 16, 0xff_ffff - sent)));
    peer.send(requestFrame(1, "Echo"));
    expect(say(await peer.next())).toBe("response 1: ");
  });

  test("a frame that never ends has its time, and the connection ends with it", async () => {
    const { peer, clock, server } = start(echoHandlers, { limits: { frameMs: 1000 } });
    const bytes = encodeFrames([requestFrame(1, "Echo", { payload: echo({ text: "slow" }) })]);
    peer.send(bytes.subarray(0, 5));
    await clock.elapse(600);
    peer.send(bytes.subarray(5, 20));
    await clock.elapse(399);
    expect(peer.isClosed).toBe(false);
    await clock.elapse(9);
    await peer.closed;
    expect(server.connections).toBe(0);
  });

  test("a client that connects and says nothing may stay, and close still ends", async () => {
    const { peer, clock, server } = start();
    await clock.elapse(1e9);
    expect([peer.isClosed, clock.pending]).toEqual([false, 0]);
    expect(server.connections).toBe(1);
  });
});

describe("a connection that ends anywhere", () => {
  const session = encodeFrames([
    requestFrame(1, "Echo", { payload: echo({ text: "a" }) }),
    requestFrame(3, "Chat", { flags: 6 }),
    dataFrame(3, "x"),
    requestFrame(5, "Hang", { timeoutNano: 10_000_000_000n }),
    emptyData(3, 5),
  ]);

  test.each(["end", "destroy"] as const)("by %s, at every byte of a session, leaves nothing behind", async (how) => {
    const { server, clock, connect, peer: first } = start();
    first.destroy();
    for (let at = 0; at <= session.length; at++) {
      const peer = connect();
      peer.send(session.subarray(0, at));
      peer[how]();
      await peer.closed;
      await turns(4);
      expect([at, server.connections, server.runningCalls]).toEqual([at, 0, 0]);
    }
    await clock.elapse(5000);
    await othersAreServed();
  });

  test("by a reset, while calls run", async () => {
    const allClosed = watchHandles();
    const control = controlled();
    const server = serve().service(EchoService, control.handlers);
    const [, port] = (await server.listen("tcp://127.0.0.1:0")).split(/:(?=\d+$)/);
    const socket: Socket = createConnection(Number(port), "127.0.0.1");
    await once(socket, "connect");
    const peer = rawPeer(socket);
    peer.send(
      requestFrame(1, "Echo", { payload: echo({ text: "a" }) }),
      requestFrame(3, "Chat", { flags: 6 }),
      dataFrame(3, "x"),
    );
    expect(say(await peer.next())).toBe("data 3: x");
    socket.resetAndDestroy();
    while (server.connections > 0) await turns(1);
    expect(control.events).toEqual(["echo a", "chat got x", "echo aborted 1", "chat aborted 1", "chat error 1"]);
    control.release();
    await server.close();
    await allClosed();
    serving = undefined as never;
  });
});

describe("requests that make no sense", () => {
  test.each<[string, Buffer, RegExp]>([
    ["bytes that are no message", unhex("ff"), /^error 3 on 1: unmarshal request error: /],
    ["a service that is no UTF-8", unhex("0a02c328"), /^error 3 on 1: unmarshal request error: .*invalid UTF-8/],
    ["groups without end", Buffer.alloc(100_000, 0x53), /^error 3 on 1: unmarshal request error: /],
    [
      "a service name of a megabyte",
      requestData("M", { service: "s".repeat(1 << 20) }),
      /^error 8 on 1: service and method names of more than 512 bytes/,
    ],
    ["a method name of a megabyte", requestData("m".repeat(1 << 20), {}), /^error 8 on 1: service and method names/],
    ["names with control characters", requestData("a\r\n\0b", { service: "../x" }), /^error 12 on 1: service \.\.\/x$/],
    [
      "10,000 metadata pairs",
      requestData("Echo", { metadata: Array.from({ length: 10_000 }, (_, i) => [`k${i}`, "v"]) }),
      /^error 8 on 1: more than 128 metadata pairs/,
    ],
    [
      "a metadata value of a megabyte",
      requestData("Echo", { metadata: [["k", "v".repeat(1 << 20)]] }),
      /^error 8 on 1: more than 65536 bytes of metadata/,
    ],
    [
      "a metadata value that is no UTF-8",
      Buffer.concat([requestData("Echo"), unhex("2a070a016b1202c328")]),
      /^error 3 on 1: unmarshal request error: .*invalid UTF-8/,
    ],
    [
      "a message that cannot be decoded",
      requestData("Echo", { payload: unhex("0aff") }),
      /^error 13 on 1: error unmarshalling payload: /,
    ],
    [
      "a message nested too deep",
      requestData("Echo", { payload: Buffer.alloc(100_000, 0x0b) }),
      /^error 13 on 1: error unmarshalling payload: /,
    ],
  ])("%s", async (_, data, answer) => {
    const { peer, server } = start();
    peer.send(rawFrame(1, 1, 0, data));
    expect(say(await peer.next())).toMatch(answer);
    expect(server.runningCalls).toBe(0);
    peer.send(requestFrame(3, "Echo", { payload: echo({ text: "next" }) }));
    expect(say(await peer.next())).toBe("response 3: next");
  });

  test("metadata called as parts of an object is metadata, and nothing else changes", async () => {
    const { peer } = start({ echo: (_, { metadata }) => ({ text: JSON.stringify([...metadata]) }) });
    const metadata = [
      ["__proto__", "x"],
      ["constructor", "y"],
      ["a\r\nb", "c\r\n"],
    ] as const;
    peer.send(requestFrame(1, "Echo", { metadata }));
    expect(say(await peer.next())).toBe(`response 1: ${JSON.stringify(metadata)}`);
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe("clients that do not read", () => {
  test.each<[string, (peer: RawPeer, n: number) => void]>([
    ["answers", (peer, n) => peer.send(requestFrame(2 * n + 1, "Echo", { payload: echo({ text: "x".repeat(500) }) }))],
    ["refusals", (peer, n) => peer.send(...Array.from({ length: 10 }, () => requestFrame(2 * n + 1, "Nope")))],
    ["answers to probes", (peer) => peer.send(Buffer.alloc(100))],
    ["answers to requests over the limit", (peer) => peer.send(encodeFrames([rawFrame(1, 1, 0, Buffer.alloc(1001))]))],
  ])("of %s are cut off at sendLimitBytes", async (_, send) => {
    const { peer, server } = start(echoHandlers, { limits: { sendLimitBytes: 200_000, messageBytes: 1000 } });
    peer.pause();
    let sent = 0;
    while (server.connections > 0 && sent < 50_000) {
      send(peer, sent++);
      if (sent % 20 === 0) await turns(1);
    }
    expect(server.connections).toBe(0);
    await othersAreServed();
  });

  test("of a stream make its source wait", async () => {
    let given = 0;
    const { peer, server } = start({
      *split() {
        for (;;) {
          given++;
          yield { payload: Buffer.alloc(1000) };
        }
      },
    });
    peer.pause();
    peer.send(requestFrame(1, "Split", { flags: 1 }));
    await turns();
    const before = given;
    // 256 KiB in the queue, and what the streams of this process hold.
    expect(given).toBeLessThan(1000);
    await turns();
    expect(given).toBe(before);
    peer.resume();
    await turns();
    expect(given).toBeGreaterThan(before);
    peer.send(emptyData(1, 7));
    await turns();
    expect(server.runningCalls).toBe(0);
  });
});

describe("many at once", () => {
  test("100,000 requests in one write are served in turns, and others between them", async () => {
    const { peer } = start(echoHandlers);
    const requests = Array.from({ length: 100_000 }, (_, i) => requestFrame(2 * i + 1, "Echo"));
    peer.send(encodeFrames(requests));
    let answered = 0;
    const all = (async () => {
      for (; answered < requests.length; answered++) await peer.next();
    })();
    await othersAreServed();
    expect(answered).toBeLessThan(requests.length);
    await all;
  });

  test("1,000 streams are opened, and further ones refused", async () => {
    const { peer, server } = start();
    for (let i = 0; i < 1030; i++) peer.send(requestFrame(2 * i + 1, "Chat", { flags: 6 }));
    const refused = (await peer.untilProbe()).map(say);
    expect(refused).toEqual(
      Array.from({ length: 6 }, (_, i) => `error 8 on ${2 * (1024 + i) + 1}: too many calls are running`),
    );
    expect(server.runningCalls).toBe(1024);
    await othersAreServed();
    peer.destroy();
    await turns();
    expect(server.runningCalls).toBe(0);
  });

  test("empty messages that nobody reads count as well", async () => {
    const { peer } = start(
      { chat: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }) as never },
      { limits: { receiveBytes: 100_000 } },
    );
    peer.send(requestFrame(1, "Chat", { flags: 6 }), requestFrame(3, "Chat", { flags: 6 }));
    for (let i = 0; i < 1000; i++) peer.send(emptyData(1, 0));
    expect(say(await peer.next())).toBe("error 8 on 1: requests came faster than they were read");
  });
});

describe("any bytes", () => {
  const garbage = fc.uint8Array({ minLength: 1, maxLength: 80 });
  const anyFrame = fc
    .record({
      id: fc.constantFrom(0, 1, 1, 3, 3, 5, 2, 0xffff_ffff),
      type: fc.constantFrom(1, 1, 1, 2, 3, 3, 3, 0, 4, 255),
      flags: fc.constantFrom(0, 0, 1, 2, 4, 5, 6, 7, 255),
      method: fc.constantFrom("Echo", "Chat", "Join", "Split", "Hang", "Fail", "Nope"),
      data: garbage,
      kind: fc.constantFrom("request", "message", "garbage", "empty"),
    })
    .map(({ id, type, flags, method, data, kind }) => {
      if (kind === "garbage") return rawFrame(id, type, flags, data);
      if (kind === "empty") return rawFrame(id, type, flags);
      return rawFrame(
        id,
        type,
        flags,
        kind === "request" ? requestData(method, { payload: echo({ text: "x" }) }) : echo({ text: "m" }),
      );
    });

  test("sequences of frames leave the server whole", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 8, arbitrary: anyFrame }, { weight: 1, arbitrary: garbage }), { maxLength: 25 }),
        async (parts) => {
          const given = start(echoHandlers, { limits: { messageBytes: 200 } });
          for (const part of parts) {
            given.peer.send(part);
            if (parts.length % 2 === 0) await turns(1);
          }
          await turns(6);
          await othersAreServed();
          given.peer.destroy();
          await turns(6);
          expect(given.server.runningCalls).toBe(0);
          await given.end();
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("socket files", () => {
  test("that are taken away under a server leave its connections alone, and its end is clean", async () => {
    const allClosed = watchHandles();
    await using folder = await tempFolder();
    const server = serve().service(EchoService, echoHandlers);
    await server.listen(`unix:${folder.file("a.sock")}`);
    const peer = await rawConnect(folder.file("a.sock"));
    await rm(folder.file("a.sock"));
    peer.send(requestFrame(1, "Echo", { payload: echo({ text: "still" }) }));
    expect(say(await peer.next())).toBe("response 1: still");
    await server.close();
    await peer.closed;
    await allClosed();
    serving = undefined as never;
  });
});
