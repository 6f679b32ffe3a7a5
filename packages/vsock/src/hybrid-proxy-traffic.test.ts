// hybridProxy once a connection is open: what passes, and how it ends.
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { rawServer, readAll, socketPath, until } from "./hybrid.test.support.js";
import { dialHybrid } from "./hybrid-dial.js";
import { started, withGuest } from "./hybrid-proxy.test.support.js";

describe("an open connection", () => {
  test("passes half-closes both ways", async () => {
    const path = await withGuest(async (guest) => void guest.end(`all of ${await readAll(guest)}`));
    const host = await dialHybrid({ path, port: 7000 });
    host.end("the request");
    expect((await readAll(host)).toString()).toBe("all of the request");
  });

  test("passes the guest's half-close, even where connect gave a socket that would close with it", async () => {
    const path = socketPath();
    const received = Promise.withResolvers<string>();
    await rawServer(`${path}.guest`, async (guest) => {
      guest.end("first");
      received.resolve((await readAll(guest)).toString());
    });
    await started(path, () => createConnection(`${path}.guest`));
    const host = await dialHybrid({ path, port: 7000 }, { allowHalfOpen: true });
    expect((await readAll(host)).toString()).toBe("first");
    // Turns for the end to do its harm in between, if it does any.
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    host.end("after the end");
    expect(await received.promise).toBe("after the end");
  });

  test("ends on both sides when either dies", async () => {
    const guests: Socket[] = [];
    const path = await withGuest((guest) => void guests.push(guest.on("data", () => {})));
    const first = await dialHybrid({ path, port: 7000 });
    first.resume();
    await until(() => guests.length === 1);
    guests[0]?.destroy();
    await once(first, "close");

    const second = await dialHybrid({ path, port: 7000 });
    await until(() => guests.length === 2);
    second.destroy();
    await once(guests[1] as Socket, "end");
    // The guest sees the host's end, and writes into the void at most once.
    guests[1]?.write("still there?");
    guests[1]?.destroy();
  });

  test("slows the sender when the reader does not read", async () => {
    const path = await withGuest(() => {});
    const host = await dialHybrid({ path, port: 7000 });
    let sent = 0;
    const chunk = Buffer.alloc(65_536);
    while (sent < 64 << 20 && (host.write(chunk) || (await drained(host)))) sent += chunk.length;
    expect(sent).toBeLessThan(8 << 20);
    host.destroy();
  });

  async function drained(socket: Socket): Promise<boolean> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 300);
    const is = await once(socket, "drain", { signal: stop.signal }).then(
      () => true,
      () => false,
    );
    clearTimeout(timer);
    return is;
  }
});
