// The bounds of a server, each at its bound.
import { echoHandlers, turns } from "@guestwire/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { controlled, type Serving, startServing } from "../test/support/serving.js";
import { echo, emptyData, requestFrame, say } from "../test/support/wire.js";

let serving: Serving | undefined;

afterEach(async () => {
  await serving?.end();
  serving = undefined;
});

function start(...given: Parameters<typeof startServing>): Serving {
  serving = startServing(...given);
  return serving;
}

describe("limits", () => {
  test.each([
    ["bound - 1", 2, 2],
    ["bound", 3, 3],
    ["bound + 1", 4, 3],
  ])("connections: %s", async (_, wanted, open) => {
    const { server, peer, connect: more } = start(echoHandlers, { limits: { connections: 3 } });
    const peers = [peer, ...Array.from({ length: wanted - 1 }, more)];
    await turns();
    expect([server.connections, peers.filter(({ isClosed }) => isClosed).length]).toEqual([open, wanted - open]);
    peer.send(requestFrame(1, "Echo"));
    expect(say(await peer.next())).toBe("response 1: ");
  });

  test("a connection that ends makes room for another", async () => {
    const { peer, server, connect: more } = start(echoHandlers, { limits: { connections: 1 } });
    peer.destroy();
    await turns();
    const next = more();
    next.send(requestFrame(1, "Echo"));
    expect(say(await next.next())).toBe("response 1: ");
    expect(server.connections).toBe(1);
  });

  test.each([
    ["connectionCalls", "bound - 1", 1, 0],
    ["connectionCalls", "bound", 2, 0],
    ["connectionCalls", "bound + 1", 3, 1],
    ["serverCalls", "bound - 1", 1, 0],
    ["serverCalls", "bound", 2, 0],
    ["serverCalls", "bound + 1", 3, 1],
  ])("%s: %s", async (name, _, count, refused) => {
    const control = controlled();
    const { peer, server, connect: more } = start(control.handlers, { limits: { [name]: 2 } });
    const peers = name === "serverCalls" ? [peer, more(), more()] : [peer, peer, peer];
    for (let i = 0; i < count; i++) peers[i]?.send(requestFrame(2 * i + 1, "Echo"));
    await turns();
    expect(server.runningCalls).toBe(count - refused);
    const last = peers[count - 1];
    expect((await last?.untilProbe())?.map(say)).toEqual(
      refused > 0 ? [`error 8 on ${2 * count - 1}: too many calls are running`] : [],
    );
    control.release();
    await turns();
    expect(server.runningCalls).toBe(0);
    peer.send(requestFrame(99, "Echo"));
    await turns();
    expect(server.runningCalls).toBe(1);
    control.release();
  });

  test("a call counts until its handler returns, however often it is canceled", async () => {
    const stuck = Promise.withResolvers<object>();
    const { peer, server } = start({ echo: () => stuck.promise as never }, { limits: { connectionCalls: 2 } });
    peer.send(
      requestFrame(1, "Echo"),
      emptyData(1, 6),
      requestFrame(3, "Echo"),
      emptyData(3, 6),
      requestFrame(5, "Echo"),
    );
    expect((await peer.untilProbe()).map(say)).toEqual(["error 8 on 5: too many calls are running"]);
    expect(server.runningCalls).toBe(2);
    stuck.resolve({});
    await turns();
    expect(server.runningCalls).toBe(0);
    expect(await peer.untilProbe()).toEqual([]);
  });

  test.each([
    ["bound - 1", 999],
    ["bound", 1000],
    ["bound + 1", 1001],
  ])("messageBytes of a response: %s", async (_, size) => {
    const { peer } = start(
      {
        // Two bytes each for the length in front, one for the tag, of the text and of the payload around it.
        echo: () => ({ text: "x".repeat(size - 6) }),
        async *split() {
          yield { text: "x".repeat(size - 3) };
        },
      },
      { limits: { messageBytes: 1000 } },
    );
    peer.send(requestFrame(1, "Echo"), requestFrame(3, "Split", { flags: 1 }));
    const refusal = `the response takes ${size} bytes; the limit is 1000`;
    const sent = (await peer.take(2)).map(say);
    if (size > 1000) return expect(sent).toEqual([`error 8 on 1: ${refusal}`, `error 8 on 3: ${refusal}`]);
    expect(sent).toEqual([expect.stringMatching(/^response 1: x+$/), expect.stringMatching(/^data 3: x+$/)]);
    expect(say(await peer.next())).toBe("end 3");
  });

  test("deadlineMs cuts what a client asks for", async () => {
    const { peer } = start(
      { echo: (_, context) => ({ text: String(context.timeRemainingMs()) }) },
      { limits: { deadlineMs: 500 } },
    );
    for (const [id, ms] of [
      [1, 499],
      [3, 500],
      [5, 501],
    ] as const)
      peer.send(requestFrame(id, "Echo", { timeoutNano: BigInt(ms) * 1_000_000n }));
    expect((await peer.take(3)).map(say)).toEqual(["response 1: 499", "response 3: 500", "response 5: 500"]);
  });

  test("sendLimitBytes ends a connection whose client does not read", async () => {
    const { peer, server } = start(echoHandlers, { limits: { sendLimitBytes: 100_000 } });
    peer.pause();
    const payload = echo({ payload: Buffer.alloc(30_000) });
    for (let id = 1; id < 21; id += 2) {
      peer.send(requestFrame(id, "Echo", { payload }));
      await turns(2);
    }
    expect(server.connections).toBe(0);
  });
});
