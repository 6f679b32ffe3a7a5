// Calls over gRPC as the client sees them: what servers may answer, the bounds of messages, compression, order.
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { type Client, Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import { type EchoResponse, EchoService } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import type { ConnectOptions } from "./channel-options.js";
import { type PlainHandlers, plainServer, rawServer } from "./plain-server.test.support.js";

async function open(handlers: PlainHandlers, options: ConnectOptions = {}) {
  const server = await plainServer(handlers, { server: { "grpc.max_receive_message_length": -1 } });
  const channel = connect(server.address, options);
  return {
    client: createClient(EchoService, channel),
    async [Symbol.asyncDispose]() {
      await channel.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function failure(promise: PromiseLike<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

async function read(responses: AsyncIterable<EchoResponse>): Promise<[bigint[], RpcError | undefined]> {
  const numbers: bigint[] = [];
  try {
    for await (const { number } of responses) numbers.push(number);
  } catch (error) {
    return [numbers, RpcError.from(error)];
  }
  return [numbers, undefined];
}

/** Answers with these messages once the requests have ended. */
function answer(call: ServerDuplexStream<Buffer, Buffer>, replies: readonly Buffer[]): void {
  call.on("data", () => {});
  call.on("end", () => {
    for (const reply of replies) call.write(reply);
    call.end();
  });
}

/** Until what the server answers at once has arrived: other answers on the same connection came after it. */
async function responded(client: Client<typeof EchoService>): Promise<void> {
  for (let i = 0; i < 10; i++) await client.hang({}).catch(() => {});
}

describe("errors", () => {
  test("a response that cannot be decoded is Internal and says why; the connection goes on", async () => {
    let reply = Buffer.from([0xff]);
    await using server = await rawServer({
      echo: (call) => answer(call, [reply]),
      split: (call) => answer(call, [reply]),
    });
    await using channel = connect(server.address);
    const client = createClient(EchoService, channel);
    const expected = {
      code: Code.Internal,
      reason: "protocol",
      rawMessage: expect.stringMatching(
        /^the response cannot be decoded: cannot decode guestwire.test.v1.EchoResponse/,
      ),
    };
    expect(await failure(client.echo({}))).toMatchObject(expected);
    expect((await read(client.split({})))[1]).toMatchObject(expected);
    reply = Buffer.alloc(0);
    await client.echo({});
  });

  test("none and two responses where one is due are Unimplemented, of both kinds", async () => {
    let replies: Buffer[] = [];
    await using server = await rawServer({
      echo: (call) => answer(call, replies),
      join: (call) => answer(call, replies),
    });
    await using channel = connect(server.address);
    const client = createClient(EchoService, channel);
    const none = {
      code: Code.Unimplemented,
      reason: "protocol",
      rawMessage: "the server ended the call without a response",
    };
    expect(await failure(client.echo({}))).toMatchObject(none);
    expect(await failure(client.join([]))).toMatchObject(none);
    replies = [Buffer.alloc(0), Buffer.alloc(0)];
    const two = { code: Code.Unimplemented, reason: "protocol", rawMessage: "the server sent more than one response" };
    expect(await failure(client.echo({}))).toMatchObject(two);
    expect(await failure(client.join([]))).toMatchObject(two);
    replies = [Buffer.alloc(0)];
    await client.echo({});
    await client.join([]);
  });

  test.each(["onHeader", "onTrailer"] as const)("a failing %s ends the call with its error", async (name) => {
    await using peer = await open({
      echo(call, done) {
        call.sendMetadata(call.metadata);
        done(null, {});
      },
      split(call) {
        call.write({});
        call.end();
      },
    });
    const fail = (): never => {
      throw new RpcError(Code.Aborted, "not mine");
    };
    const expected = { code: Code.Aborted, rawMessage: `${name} failed: not mine` };
    expect(await failure(peer.client.echo({}, { [name]: fail }))).toMatchObject(expected);
    expect((await read(peer.client.split({}, { [name]: fail })))[1]).toMatchObject(expected);
  });

  test("an error does not overtake the messages before it, however slowly they are read", async () => {
    const count = 200;
    await using peer = await open({
      split(call) {
        for (let i = 0; i < count; i++) call.write({ number: BigInt(i) });
        call.emit("error", { code: Code.DataLoss, details: "no more" });
      },
    });
    const responses = peer.client.split({});
    await responded(peer.client);
    const [numbers, error] = await read(responses);
    expect(numbers).toEqual(Array.from({ length: count }, (_, i) => BigInt(i)));
    expect(error).toMatchObject({ code: Code.DataLoss, rawMessage: "no more" });
  });

  test("a stream whose error waits behind messages can still be left and canceled", async () => {
    await using peer = await open({
      split(call) {
        for (let i = 0; i < 200; i++) call.write({ number: BigInt(i) });
        call.emit("error", { code: Code.DataLoss, details: "no more" });
      },
    });
    const control = new AbortController();
    const left = peer.client.split({});
    const canceled = peer.client.split({}, { signal: control.signal });
    await left.next();
    await canceled.next();
    await responded(peer.client);
    await left.return();
    control.abort();
    expect(await failure(canceled.next())).toMatchObject({ code: Code.Canceled });
  });
});

describe("messages of the size of the bound", () => {
  // A field of bytes of this size has a key of one byte and a length of three.
  const limit = 100_000;
  const payload = (bytes: number): Uint8Array => new Uint8Array(bytes - 4);

  test("received: one byte more is refused, and the connection goes on", async () => {
    let size = 0;
    await using peer = await open(
      {
        echo: (_, done) => done(null, { payload: payload(size) }),
        split(call) {
          call.write({ payload: payload(size) });
          call.end();
        },
      },
      { limits: { receiveMessageBytes: limit } },
    );
    for (size of [limit - 1, limit]) {
      expect((await peer.client.echo({})).payload.length).toBe(size - 4);
      expect((await read(peer.client.split({})))[0]).toHaveLength(1);
    }
    size = limit + 1;
    const expected = { code: Code.ResourceExhausted, reason: "oversize" };
    expect(await failure(peer.client.echo({}))).toMatchObject(expected);
    expect((await read(peer.client.split({})))[1]).toMatchObject(expected);
    size = limit;
    await peer.client.echo({});
  });

  test("sent: one byte more is refused and reaches nobody", async () => {
    let received = 0;
    await using peer = await open(
      {
        echo(_, done) {
          received++;
          done(null, {});
        },
        join(call, done) {
          call.on("data", () => received++);
          call.on("end", () => done(null, {}));
        },
      },
      { limits: { sendMessageBytes: limit } },
    );
    for (const size of [limit - 1, limit]) {
      await peer.client.echo({ payload: payload(size) });
      await peer.client.join([{ payload: payload(size) }]);
    }
    expect(received).toBe(4);
    const expected = {
      code: Code.ResourceExhausted,
      reason: "oversize",
      rawMessage: "the request takes 100001 bytes; the limit is 100000",
    };
    expect(await failure(peer.client.echo({ payload: payload(limit + 1) }))).toMatchObject(expected);
    expect(await failure(peer.client.join([{ payload: payload(limit + 1) }]))).toMatchObject(expected);
    expect(received).toBe(4);
  });

  test("also after decompression: a small message that becomes a large one is refused", async () => {
    const server = await plainServer(
      { echo: (_, done) => done(null, { payload: payload(limit * 10) }) },
      { server: { "grpc.default_compression_algorithm": 2 } },
    );
    await using _ = server;
    await using channel = connect(server.address, { limits: { receiveMessageBytes: limit }, compression: "gzip" });
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject({ code: Code.ResourceExhausted, reason: "oversize" });
  });
});

describe("compression", () => {
  test.each(["gzip", "deflate", "none"] as const)(
    "%s, of small and of large messages, both ways",
    async (compression) => {
      await using peer = await open(
        {
          echo: (call, done) =>
            done(null, { payload: call.request.payload, text: String(call.metadata.get("grpc-encoding")) }),
          chat(call) {
            call.on("data", ({ payload }) => call.write({ payload }));
            call.on("end", () => call.end());
          },
        },
        { compression, limits: { receiveMessageBytes: 16 << 20 } },
      );
      for (const size of [0, 10, 8 << 20]) {
        const payload = new Uint8Array(size).map((_, i) => i * 7);
        const { payload: echoed } = await peer.client.echo({ payload });
        expect(Buffer.compare(echoed, payload)).toBe(0);
        for await (const reply of peer.client.chat([{ payload }, { payload }])) {
          expect(Buffer.compare(reply.payload, payload)).toBe(0);
        }
      }
    },
  );
});

describe("the user agent", () => {
  test("stands in front of grpc-js' own", async () => {
    await using peer = await open(
      { echo: (call, done) => done(null, { text: String(call.metadata.get("user-agent")[0]) }) },
      { userAgent: "mine/1.0" },
    );
    expect((await peer.client.echo({})).text).toMatch(/^mine\/1\.0 grpc-node-js\//);
  });
});

describe("requests", () => {
  test("that never wait let other work have its turn", async () => {
    await using peer = await open({
      join(call, done) {
        call.on("data", () => {});
        call.on("end", () => done(null, {}));
      },
    });
    const control = new AbortController();
    let sent = 0;
    function* endless() {
      for (;;) {
        if (sent++ === 0) setImmediate(() => setImmediate(() => control.abort()));
        yield {};
      }
    }
    expect(await failure(peer.client.join(endless(), { signal: control.signal }))).toMatchObject({
      code: Code.Canceled,
    });
    expect(sent).toBeGreaterThan(1);
  });

  test("of a call that the server answers before they end are left", async () => {
    await using peer = await open({ join: (_, done) => done(null, { text: "enough" }) });
    const requests = createPushStream<object>();
    expect((await peer.client.join(requests)).text).toBe("enough");
    expect(await failure(requests.push({}))).toMatchObject({ code: Code.Canceled });
  });
});
