// Our clients over transports of Connect: its router transport, which runs Connect's own protocol in this process.
import { create } from "@bufbuild/protobuf";
import {
  Code as ConnectCode,
  ConnectError,
  type Interceptor as ConnectInterceptor,
  createContextKey as createConnectKey,
  createRouterTransport,
  encodeBinaryHeader,
  type Transport,
} from "@connectrpc/connect";
import {
  type Channel,
  Code,
  createClient,
  createContextKey,
  createContextValues,
  createPushStream,
  type Interceptor,
  type Metadata,
  RpcError,
} from "@guestwire/rpc";
import { EchoRequestSchema, EchoService, turns } from "@guestwire/testkit";
import { expect, expectTypeOf, test } from "vitest";
import { connectValuesOf, toChannel, toInterceptor, valuesOf } from "../src/index.js";
import { all, type EchoImpl, failure, fired } from "./support/wires.js";

const impl: EchoImpl = {
  echo: ({ text, payload, number }) => ({ text, payload, number }),
  async *split({ count, failAfter }) {
    for (let i = 0; i < count; i++) {
      if (failAfter > 0 && i === failAfter) throw new ConnectError(`failed after ${i}`, ConnectCode.DataLoss);
      yield { number: BigInt(i) };
    }
  },
  async join(requests) {
    let text = "";
    for await (const request of requests) text += request.text;
    return { text };
  },
  async *chat(requests) {
    for await (const { text } of requests) yield { text };
  },
  fail({ code, message, detail }) {
    const details = [{ desc: EchoRequestSchema, value: { text: detail } }];
    throw new ConnectError(message, code, { "x-hint": "tomorrow" }, details);
  },
  async hang(_, context) {
    await fired(context.signal);
    return {};
  },
};

function transportOf(own: EchoImpl = {}, interceptors: ConnectInterceptor[] = []): Transport {
  return createRouterTransport((router) => router.service(EchoService, { ...impl, ...own }), {
    transport: { interceptors },
  });
}

test("the types are those of both", () => {
  expectTypeOf(toChannel).parameter(0).toEqualTypeOf<Transport>();
  expectTypeOf(toChannel).returns.toEqualTypeOf<Channel>();
});

test("calls of all four kinds", async () => {
  await using channel = toChannel(transportOf());
  const client = createClient(EchoService, channel);
  expect(await client.echo({ text: "héllo", number: -7n })).toMatchObject({ text: "héllo", number: -7n });
  expect((await all(client.split({ count: 3 }))).map(({ number }) => number)).toEqual([0n, 1n, 2n]);
  expect(await client.join([{ text: "a" }, { text: "b" }])).toMatchObject({ text: "ab" });
  expect((await all(client.chat([{ text: "x" }, { text: "y" }]))).map(({ text }) => text)).toEqual(["x", "y"]);
  expect([channel.target, channel.protocol]).toEqual(["connect:", "connect"]);
});

test("talk both ways in turn", async () => {
  await using channel = toChannel(transportOf());
  const questions = createPushStream<{ text: string }>();
  const answers = createClient(EchoService, channel).chat(questions);
  for (const text of ["one", "two"]) {
    await questions.push({ text });
    expect((await answers.next()).value).toMatchObject({ text });
  }
  questions.end();
  expect((await answers.next()).done).toBe(true);
});

test("errors keep code, text, details, metadata, and name the call", async () => {
  await using channel = toChannel(transportOf(), { target: "https://host" });
  const client = createClient(EchoService, channel);
  for (const code of Object.values(Code)) {
    const trailers: Metadata[] = [];
    const call = client.fail(
      { code, message: `no ${code}`, detail: "d" },
      { onTrailer: (trailer) => trailers.push(trailer) },
    );
    const error = await failure(call);
    expect(error).toBeInstanceOf(RpcError);
    const found = RpcError.from(error);
    expect(found).toMatchObject({
      code,
      rawMessage: `no ${code}`,
      method: `/${EchoService.typeName}/Fail`,
      peer: "https://host",
      reason: undefined,
    });
    expect(found.findDetails(EchoRequestSchema)).toEqual([create(EchoRequestSchema, { text: "d" })]);
    expect(found.metadata?.get("x-hint")).toBe("tomorrow");
    expect(trailers.map((trailer) => trailer.get("x-hint"))).toEqual(["tomorrow"]);
  }
  const split = client.split({ count: 3, failAfter: 1 });
  expect((await split.next()).value).toMatchObject({ number: 0n });
  expect(await failure(split.next())).toMatchObject({ code: Code.DataLoss, rawMessage: "failed after 1" });
});

test("deadlines and signals end calls here and there", async () => {
  const told = Promise.withResolvers<unknown>();
  const own: EchoImpl = {
    async *split(_, { signal, timeoutMs }) {
      void fired(signal).then(told.resolve);
      yield { number: BigInt(Math.ceil(timeoutMs() ?? -1)) };
      await fired(signal);
    },
  };
  await using channel = toChannel(transportOf(own), { target: "t:" });
  const client = createClient(EchoService, channel);
  const late = { code: Code.DeadlineExceeded, reason: "deadline", peer: "t:" };
  expect(await failure(client.hang({}, { timeoutMs: 20 }))).toMatchObject(late);
  const timed = client.split({}, { timeoutMs: 500 });
  const { number } = (await timed.next()).value as { number: bigint };
  expect(number > 0n && number <= 500n).toBe(true);
  expect(await failure(timed.next())).toMatchObject(late);
  expect(await all(timed)).toEqual([]);
  expect(await told.promise).toBeInstanceOf(Error);
  const control = new AbortController();
  const call = failure(client.hang({}, { signal: control.signal }));
  control.abort("stop");
  expect(await call).toMatchObject({ code: Code.Canceled, cause: "stop", reason: "canceled" });
});

test.each(["break", "return"])("%s cancels the call at the server", async (way) => {
  const told = Promise.withResolvers<unknown>();
  const own: EchoImpl = {
    async *split(_, { signal }) {
      void fired(signal).then(told.resolve);
      yield {};
      yield {};
    },
  };
  await using channel = toChannel(transportOf(own));
  const responses = createClient(EchoService, channel).split({});
  if (way === "break") for await (const _ of responses) break;
  else {
    await responses.next();
    await responses.return();
  }
  expect(await told.promise).toBeDefined();
});

test("metadata goes out as headers and comes back as header and trailer", async () => {
  const own: EchoImpl = {
    echo(_, { requestHeader, responseHeader, responseTrailer }) {
      responseHeader.set("x-text", `${requestHeader.get("x-text")}!`);
      responseHeader.set("x-bytes-bin", requestHeader.get("x-bytes-bin") ?? "");
      responseTrailer.set("x-trailer", "t");
      return {};
    },
    async *split(_, { responseHeader, responseTrailer }) {
      responseHeader.set("x-text", "h");
      yield {};
      responseTrailer.set("x-trailer", "t");
    },
  };
  await using channel = toChannel(transportOf(own));
  const client = createClient(EchoService, channel);
  const seen: Metadata[] = [];
  const tell = (metadata: Metadata): void => void seen.push(metadata);
  const bytes = [encodeBinaryHeader(new Uint8Array([255])), encodeBinaryHeader(new Uint8Array([254]))];
  await client.echo({}, { metadata: { "x-text": "two words", "x-bytes-bin": bytes }, onHeader: tell, onTrailer: tell });
  expect(seen[0]?.get("x-text")).toBe("two words!");
  expect(seen[0]?.getAll("x-bytes-bin")).toEqual(bytes);
  expect(seen[1]?.get("x-trailer")).toBe("t");
  await all(client.split({}, { onHeader: tell, onTrailer: tell }));
  expect([seen[2]?.get("x-text"), seen[3]?.get("x-trailer")]).toEqual(["h", "t"]);
  const refused = { code: Code.InvalidArgument, rawMessage: expect.stringContaining('"x-line"') };
  expect(await failure(client.echo({}, { metadata: { "x-line": "a\nb" } }))).toMatchObject(refused);
  const requests = createPushStream<object>({ highWaterMark: 1 });
  const waiting = requests.push({});
  expect(await failure(client.join(requests, { metadata: { "x-line": "a\nb" } }))).toMatchObject(refused);
  expect(await failure(waiting)).toMatchObject({ code: Code.Canceled });
});

test("a request stream that fails ends the call with the failure's code", async () => {
  await using channel = toChannel(transportOf());
  const client = createClient(EchoService, channel);
  async function* broken(error: unknown) {
    yield { text: "a" };
    throw error;
  }
  const call = client.join(broken(new RpcError(Code.Aborted, "the disk is gone")));
  expect(await failure(call)).toMatchObject({ code: Code.Aborted });
});

test("values reach Connect's interceptors, and theirs reach ours", async () => {
  const user = createConnectKey("nobody");
  const place = createContextKey("nowhere");
  const seen: unknown[] = [];
  const look: ConnectInterceptor = (next) => (request) => {
    seen.push(request.contextValues.get(user), valuesOf(request.contextValues).get(place));
    return next(request);
  };
  await using channel = toChannel(transportOf({}, [look]));
  const values = createContextValues().set(place, "here");
  connectValuesOf(values).set(user, "ann");
  await createClient(EchoService, channel).echo({}, { values });
  expect(seen).toEqual(["ann", "here"]);
});

test("closing ends what runs and refuses what comes", async () => {
  const channel = toChannel(transportOf());
  const client = createClient(EchoService, channel);
  const running = [failure(client.hang({})), failure(all(client.chat(createPushStream<object>())))];
  await turns();
  await channel.close();
  for (const error of await Promise.all(running)) {
    expect(error).toMatchObject({ code: Code.Canceled, rawMessage: "the channel was closed" });
  }
  expect(await failure(client.echo({}))).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
});

test("closing also ends calls of a transport that takes no notice", async () => {
  const never = new Promise<never>(() => {});
  const channel = toChannel({ unary: () => never, stream: () => never });
  const client = createClient(EchoService, channel);
  expect(await failure(client.echo({}, { timeoutMs: 5 }))).toMatchObject({ code: Code.DeadlineExceeded });
  const running = [failure(client.echo({})), failure(all(client.split({})))];
  await channel.close({ graceMs: 5 });
  for (const error of await Promise.all(running)) expect(error).toMatchObject({ code: Code.Canceled });
});

test("the transport is told of an early end by an error of Connect, and of a good end by none", async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const real = transportOf();
  await using channel = toChannel({
    unary: (method, signal, ...rest) => {
      signals.push(signal);
      return real.unary(method, signal, ...rest);
    },
    stream: (method, signal, ...rest) => {
      signals.push(signal);
      return real.stream(method, signal, ...rest);
    },
  });
  const client = createClient(EchoService, channel);
  await client.echo({});
  await all(client.split({ count: 1 }));
  for await (const _ of client.split({ count: 9 })) break;
  await failure(client.hang({}, { timeoutMs: 5 }));
  const reasons: unknown[] = signals.map((signal) => signal?.reason);
  expect(reasons.map((reason) => (reason instanceof ConnectError ? reason.code : reason))).toEqual([
    undefined,
    undefined,
    ConnectCode.Canceled,
    ConnectCode.DeadlineExceeded,
  ]);
});

test("what is no transport is refused by name", () => {
  expect(() => toChannel({} as Transport)).toThrow(/toChannel\(\) needs a transport of Connect/);
  expect(() => toChannel(undefined as never)).toThrow(/toChannel\(\) needs a transport of Connect/);
});

test("interceptors of ours run on any transport of Connect, composed once", async () => {
  let composed = 0;
  const seen: string[] = [];
  const ours: Interceptor = (next) => {
    composed++;
    return async (call) => {
      call.metadata.append("x-added", "1");
      const tell = (trailer: Metadata): void => void seen.push(`trailer ${trailer.get("x-trailer")}`);
      try {
        const reply = await next({ ...call, onTrailer: tell });
        seen.push(`${call.path} ${reply.stream ? "stream" : "message"} at ${call.channel?.target}`);
        return reply;
      } catch (error) {
        seen.push(`${RpcError.from(error).code}`);
        throw new RpcError(Code.ResourceExhausted, "changed");
      }
    };
  };
  const own: EchoImpl = {
    echo(_, { requestHeader, responseTrailer }) {
      responseTrailer.set("x-trailer", "t");
      return { text: requestHeader.get("x-added") ?? "" };
    },
  };
  const { typeName } = EchoService;
  await using channel = toChannel(transportOf(own, [toInterceptor(ours)]));
  const client = createClient(EchoService, channel);
  expect(await client.echo({})).toMatchObject({ text: "1" });
  expect(seen.splice(0)).toEqual(["trailer t", `/${typeName}/Echo message at https://in-memory`]);
  expect(await all(client.split({ count: 2 }))).toHaveLength(2);
  expect(seen.splice(0)).toEqual([`/${typeName}/Split stream at https://in-memory`, "trailer undefined"]);
  expect(await failure(client.fail({ code: Code.NotFound }))).toMatchObject({ code: Code.ResourceExhausted });
  expect(seen).toEqual([`${Code.NotFound}`]);
  expect(composed).toBe(1);
  expect(() => toInterceptor({} as never)).toThrow(/toInterceptor\(\) needs an interceptor of ours/);
});
