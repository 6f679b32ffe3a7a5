// A unix socket whose queue of connections is full (`EAGAIN`): channels come again until there is room.
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "../src/channel.js";
import { serve } from "../src/server.js";

// Stands still between listening and accepting until it is told; then leads on to the server.
const doorkeeper = `
  const net = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const door = net.createServer((socket) => {
    const inner = net.connect(workerData.to);
    for (const [from, to] of [[socket, inner], [inner, socket]]) {
      from.on("error", () => {});
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  parentPort.once("message", () => { door.close(); process.exit(); });
  door.listen({ path: workerData.path, backlog: 1 }, () => {
    parentPort.postMessage("listening");
    Atomics.wait(workerData.flag, 0, 0);
  });`;

test("many channels that connect at once to a unix socket with a full queue lose no call", async () => {
  await using folder = await tempFolder();
  await using server = serve().service(EchoService, echoHandlers);
  const to = folder.file("inner.sock");
  await server.listen(`unix://${to}`);
  const path = folder.file("door.sock");
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(doorkeeper, { eval: true, workerData: { path, to, flag } });
  await once(worker, "message");

  const count = 200;
  let sockets = 0;
  const { promise: triedAgain, resolve } = Promise.withResolvers<void>();
  const opened = (): void => {
    // Two fit into the queue; all others have been refused when as many have come twice.
    if (++sockets === 2 * count - 2) resolve();
  };
  diagnostics.subscribe("net.client.socket", opened);
  const channels = Array.from({ length: count }, () => connect(`unix://${path}`, { connectTimeoutMs: 60_000 }));
  const calls = Promise.all(channels.map((channel, i) => createClient(EchoService, channel).echo({ text: `${i}` })));
  // Where a call failed there is nothing more to wait for.
  await Promise.race([triedAgain, calls]);
  diagnostics.unsubscribe("net.client.socket", opened);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  expect((await calls).map(({ text }) => text)).toEqual(channels.map((_, i) => `${i}`));
  expect(sockets).toBeGreaterThanOrEqual(2 * count - 2);

  await Promise.all(channels.map((channel) => channel.close()));
  worker.postMessage("end");
  await once(worker, "exit");
});
