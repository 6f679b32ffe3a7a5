// ttrpc over vsock addresses.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Code, createClient } from "../../../rpc/dist/index.js";
import { EchoService, echoHandlers } from "../../../testkit/dist/echo/index.js";
import { connect, serve } from "../../../ttrpc/dist/index.js";
import { deadPort, failure, listenLocal, openSockets } from "./helpers.mjs";

test("calls of every kind, 500 at once, and a clean end", async (t) => {
  const before = openSockets();
  const server = serve().service(EchoService, echoHandlers);
  const address = await server.listen("vsock://any:0");
  const port = Number(/^vsock:\/\/any:(\d+)$/.exec(address)[1]);
  const channel = connect(`vsock://local:${port}`);
  const client = createClient(EchoService, channel);
  const { peerKind } = await client.inspect({});
  assert.equal(peerKind, "vsock");
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => client.echo({ number: BigInt(i) })));
  const ms = performance.now() - began;
  for (const [i, { number }] of answers.entries()) assert.equal(number, BigInt(i));
  let count = 0;
  for await (const { payload } of client.split({ count: 20, payload: new Uint8Array(100_000) })) {
    assert.equal(payload.length, 100_000);
    count += 1;
  }
  assert.equal(count, 20);
  await channel.close();
  await server.close();
  assert.equal(openSockets(), before);
  t.diagnostic(`500 calls at once in ${Math.round(ms)} ms`);
});

test("a peer that goes away ends calls in flight as Unavailable", async (t) => {
  // Read from, never answered: then gone, which the kernel shows as a clean end.
  const listener = await listenLocal(t);
  const accepted = once(listener, "connection");
  const channel = connect(`vsock://local:${listener.port}`);
  t.after(() => channel.close());
  const calls = Array.from({ length: 10 }, () => failure(createClient(EchoService, channel).hang({})));
  const [peer] = await accepted;
  await once(peer, "data");
  peer.destroy();
  listener.close();
  for (const error of await Promise.all(calls)) {
    assert.equal(error.code, Code.Unavailable);
    assert.equal(error.reason, "connection_closed");
  }
});

test("nobody there is Unavailable, with the address and the system's error", async (t) => {
  const channel = connect(`vsock://local:${deadPort}`);
  t.after(() => channel.close());
  const error = await failure(createClient(EchoService, channel).echo({}));
  assert.equal(error.code, Code.Unavailable);
  assert.match(error.message, /vsock:\/\/1:4000000000/);
});
