// The cases with a peer's server: our client makes the calls. What a peer is known to do otherwise comes from its traits.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Code, createClient, createPushStream } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { rawType } from "../frames.js";
import { EchoRequestSchema, EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { runIntegration } from "./integration.js";
import { failure, type ServerCase, works } from "./server-case.js";
import { sizeCases } from "./server-size-cases.js";

const inMessages = async (stream: AsyncIterable<unknown>): Promise<number> => {
  let count = 0;
  for await (const _ of stream) count++;
  return count;
};

/** The cases of `cases.ts` by name. */
export const serverCases: Readonly<Record<string, ServerCase>> = {
  ...sizeCases,

  async unary({ client }) {
    const sent = { text: "☺ text", payload: Buffer.from([0, 1, 255]), number: -5n };
    const { text, payload, number } = await client.echo(sent);
    deepEqual({ text, payload: Buffer.from(payload), number }, sent);
  },

  async empty({ client }) {
    const { text, payload, number } = await client.echo({});
    deepEqual([text, payload.length, number], ["", 0, 0n]);
  },

  async server_stream({ client }) {
    for (const size of [0, 1, 5000, 100_000]) {
      const numbers: bigint[] = [];
      for await (const { number, payload } of client.split({ count: 30, payload: Buffer.alloc(size, 7) })) {
        numbers.push(number);
        equal(payload.length, size);
      }
      deepEqual(
        numbers,
        Array.from({ length: 30 }, (_, i) => BigInt(i)),
      );
    }
  },

  async client_stream({ client }) {
    const parts = [{}, ...Array.from({ length: 200 }, (_, i) => ({ number: BigInt(i), text: "x" })), {}];
    const { number, text } = await client.join(parts);
    deepEqual([number, text.length], [19_900n, 200]);
  },

  async bidi({ client }) {
    const requests = createPushStream<{ number: bigint }>();
    const responses = client.chat(requests);
    for (let i = 0n; i < 100n; i++) {
      void requests.push({ number: i });
      equal((await responses.next()).value?.number, i);
    }
    requests.end();
    equal((await responses.next()).done, true);
  },

  async empty_stream({ client }) {
    equal(await inMessages(client.split({})), 0);
    equal((await client.join([])).number, 0n);
    equal(await inMessages(client.chat(Array.from({ length: 1000 }, () => ({})))), 1000);
  },

  async metadata({ client }) {
    const { metadata } = await client.inspect({}, { metadata: { "X-Number": ["1", "2"], y: "" } });
    deepEqual(
      metadata.map(({ key, value }) => [key, value]),
      [
        ["x-number", "1"],
        ["x-number", "2"],
        ["y", ""],
      ],
    );
  },

  async timeout({ client }) {
    const { timeRemainingMs } = await client.inspect({}, { timeoutMs: 600_000 });
    ok(timeRemainingMs <= 600_000 && timeRemainingMs > 500_000, `${timeRemainingMs} ms were left of 600,000`);
    equal((await client.inspect({})).timeRemainingMs, -1);
  },

  async deadline(peer) {
    equal((await failure(peer.client.hang({}, { timeoutMs: 50 }))).code, Code.DeadlineExceeded);
    await peer.process.said("let go");
    await works(peer);
  },

  async status({ client }) {
    for (let code = 1; code <= 16; code++) {
      const message = `code ${code}\t\n☺ 😈`;
      const error = await failure(client.fail({ code, message, detail: "d" }));
      deepEqual([error.code, error.rawMessage], [code, message]);
      deepEqual(
        error.findDetails(EchoRequestSchema).map(({ text }) => text),
        ["d"],
      );
    }
    const plain = await failure(client.fail({ message: "plain" }));
    equal(plain.code, Code.Unknown);
    match(plain.rawMessage, /plain/);
  },

  async unknown(peer) {
    const method = EchoService.method.echo;
    const elsewhere = { ...method, parent: { ...EchoService, typeName: "no.Such" } } as typeof method;
    const { unknownService, unknownMethod } = peer.traits;
    equal((await failure(peer.channel.unary(elsewhere, {}))).code, unknownService);
    equal((await failure(peer.channel.unary({ ...method, name: "Nope" } as typeof method, {}))).code, unknownMethod);
    await works(peer);
  },

  async stream_error(peer) {
    let count = 0;
    const reading = async (): Promise<void> => {
      for await (const _ of peer.client.split({ count: 10, failAfter: 3 })) count++;
    };
    equal((await failure(reading())).code, Code.DataLoss);
    equal(count, 3);
    await works(peer);
  },

  async early_end(peer) {
    const requests = createPushStream<{ text: string }>({ highWaterMark: 100 });
    const responses = peer.client.chat(requests);
    for (const text of ["a", "refuse"]) void requests.push({ text });
    // What is under way when the server ends the call is late; some servers do not survive that, whoever sends it.
    if (!peer.traits.lateDataCrashes) for (let i = 0; i < 50; i++) void requests.push({ text: "late" });
    equal((await responses.next()).value?.text, "a");
    equal((await failure(responses.next())).code, Code.Aborted);
    const before = peer.tap.sent.length;
    await requests.push({ text: "after the end" }).then(
      () => {},
      () => {},
    );
    await works(peer);
    equal(peer.tap.sent.length, before + 1, "only the last call was sent after the end");
  },

  async cancel_unary(peer) {
    const control = new AbortController();
    const call = failure(peer.client.hang({}, { signal: control.signal }));
    await peer.process.said("hanging");
    control.abort();
    equal((await call).code, Code.Canceled);
    await works(peer);
  },

  async control(peer) {
    const { client, tap } = peer;
    for (let i = 0; i < 3; i++) {
      const control = new AbortController();
      const call = failure(client.hang({}, { signal: control.signal }));
      await peer.process.said("hanging");
      control.abort();
      equal((await call).code, Code.Canceled);
      await works(peer);
    }
    await client.echo({}, { onTrailer: () => ok(false, "a trailer came") });
    const requests = tap.sent.filter(({ type }) => type === rawType.request);
    // Three calls that hang, three that work, one more; and one question.
    equal(requests.length, 8, "requests on the connection");
    // A connection of its own, on which every silence of a moment is asked about.
    const keepalive = { timeMs: 10, timeoutMs: 60_000, withoutCalls: true, peers: "any" } as const;
    const pinging = connect(`unix://${tap.path}`, { keepalive });
    try {
      const asked = createClient(EchoService, pinging);
      equal((await failure(asked.hang({}, { timeoutMs: 500 }))).code, Code.DeadlineExceeded);
      await works({ client: asked });
    } finally {
      await pinging.close();
    }
    const pings = tap.sent.filter(({ connection, type }) => connection === 1 && type === rawType.request).length - 2;
    ok(pings > 1, `${pings} pings in half a second`);
    ok(
      tap.sent.every(({ connection }) => connection <= 1),
      "no connection was lost",
    );
  },

  async cancel_stream(peer) {
    const { client } = peer;
    const control = new AbortController();
    const requests = createPushStream<{ text: string }>();
    const chat = client.chat(requests, { signal: control.signal });
    void requests.push({ text: "a" });
    equal((await chat.next()).value?.text, "a");
    const join = failure(client.join(createPushStream<object>(), { signal: control.signal }));
    await works(peer);
    control.abort();
    equal((await failure(chat.next())).code, Code.Canceled);
    equal((await join).code, Code.Canceled);
    for await (const { number } of client.split({ count: 20_000, payload: Buffer.alloc(100) })) {
      if (number === 5n) break;
    }
    // Left so near the end that the cancellation crosses it: whatever is sent then finds no stream.
    for (let i = 0; i < 300; i++) for await (const _ of client.split({ count: 3 })) break;
    await works(peer);
  },

  async unread(peer) {
    const unread = peer.client.split({ count: 10_000, payload: Buffer.alloc(100) });
    await works(peer);
    equal(await inMessages(peer.client.split({ count: 5 })), 5);
    equal((await unread.next()).value?.number, 0n);
    await unread.return?.();
    await works(peer);
  },

  async concurrent({ client, traits }) {
    const calls = Array.from({ length: 1000 }, async (_, i) => {
      if (traits.streams && i % 10 === 0)
        return equal(await inMessages(client.split({ count: 5, payload: Buffer.alloc(100) })), 5);
      equal((await client.echo({ text: `t${i}`, payload: Buffer.alloc(i) })).text, `t${i}`);
    });
    await Promise.all(calls);
  },

  async shutdown(peer) {
    const running = failure(peer.client.hang({}, { timeoutMs: 1000 }));
    await peer.process.said("hanging");
    peer.process.tell("shutdown");
    const error = await running;
    const cut = error.code === Code.Unavailable && error.reason === "connection_closed";
    if (peer.traits.shutdownCuts) ok(cut, `the running call was not cut: ${error.message}`);
    else equal(error.code, Code.DeadlineExceeded);
    await peer.process.said("shut down");
    equal((await failure(peer.client.echo({}))).code, Code.Unavailable);
  },

  async reset(peer) {
    const hang = failure(peer.client.hang({}));
    const chat = peer.traits.streams ? peer.client.chat(createPushStream<object>()) : undefined;
    await peer.process.said("hanging");
    peer.tap.cut();
    for (const error of [await hang, ...(chat === undefined ? [] : [await failure(chat.next())])]) {
      deepEqual([error.code, error.reason], [Code.Unavailable, "connection_closed"]);
    }
    await peer.process.said("let go");
    await works(peer);
  },

  async integration({ channel }) {
    await runIntegration(channel);
  },
};
