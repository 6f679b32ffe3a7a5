// Connect's own clients over our channels, on every wire: what they get is what they get of any transport of Connect.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  Code,
  ConnectError,
  createClient,
  decodeBinaryHeader,
  encodeBinaryHeader,
} from "@connectrpc/connect";
import { createPushStream, Code as OurCode, RpcError } from "@guestwire/rpc";
import { EchoRequestSchema, EchoService, turns } from "@guestwire/testkit";
import { describe, expect, expectTypeOf, test } from "vitest";
import { toTransport } from "../src/index.js";
import { all, type EchoHandlers, failure, fired, wires } from "./support/wires.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe.each(wires)("a client of Connect over $name", ({ open }) => {
  const clientOf = async (handlers: EchoHandlers = {}) => {
    const wire = await open(handlers);
    const client = createClient(EchoService, toTransport(wire.channel));
    return { client, [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose]() };
  };

  test("calls methods of all four kinds", async () => {
    await using wire = await clientOf();
    const { client } = wire;
    expectTypeOf(client).toEqualTypeOf<Client<typeof EchoService>>();
    expect(await client.echo({ text: "héllo", number: 7n })).toMatchObject({ text: "héllo", number: 7n });
    expect((await all(client.split({ count: 3 }))).map(({ number }) => number)).toEqual([0n, 1n, 2n]);
    async function* texts(...values: string[]) {
      for (const text of values) yield { text };
    }
    expect(await client.join(texts("a", "b", "c"))).toMatchObject({ text: "abc" });
    expect((await all(client.chat(texts("x", "y")))).map(({ text }) => text)).toEqual(["x", "y"]);
    expect(await all(client.split({ count: 0 }))).toEqual([]);
  });

  test("talks both ways in turn, also where the server waits for the client", async () => {
    await using wire = await clientOf();
    const questions = createPushStream<{ text: string }>();
    const answers = wire.client.chat(questions)[Symbol.asyncIterator]();
    for (const text of ["one", "two"]) {
      const answer = answers.next();
      await questions.push({ text });
      expect((await answer).value).toMatchObject({ text });
    }
    questions.end();
    expect((await answers.next()).done).toBe(true);
  });

  test("gets errors with code, text, details and metadata", async () => {
    await using wire = await clientOf({
      fail(request, context) {
        context.responseTrailer.set("x-hint", "tomorrow");
        const details = [{ schema: EchoRequestSchema, value: { text: request.detail } }];
        throw new RpcError(request.code as OurCode, request.message, { details });
      },
    });
    for (const code of Object.values(OurCode)) {
      const error = await failure(wire.client.fail({ code, message: `no ${code}: ü`, detail: "d" }));
      expect(error).toBeInstanceOf(ConnectError);
      const found = error as ConnectError;
      expect(found).toMatchObject({ code, rawMessage: `no ${code}: ü` });
      expect(found.findDetails(EchoRequestSchema)).toEqual([create(EchoRequestSchema, { text: "d" })]);
      expect(found.metadata.get("x-hint")).toBe("tomorrow");
    }
  });

  test("gets the error of a stream behind its messages", async () => {
    await using wire = await clientOf();
    const got: bigint[] = [];
    const error = await failure(
      (async () => {
        for await (const { number } of wire.client.split({ count: 5, failAfter: 2 })) got.push(number);
      })(),
    );
    expect(got).toEqual([0n, 1n]);
    expect(error).toMatchObject({ code: Code.DataLoss, rawMessage: "failed after 2" });
    expect(error).toBeInstanceOf(ConnectError);
  });

  test("is told of an unknown method, and of a message that cannot be sent", async () => {
    await using wire = await open({ echo: undefined } as never);
    const client = createClient(EchoService, toTransport(wire.channel));
    expect(await failure(client.echo({}))).toMatchObject({ code: Code.Unimplemented });
    const wrong = { text: 7 as unknown as string };
    expect(await failure(client.echo(wrong))).toBeInstanceOf(ConnectError);
  });

  test("ends at its deadline, on both sides", async () => {
    const told = Promise.withResolvers<unknown>();
    let begun = false;
    await using wire = await clientOf({
      async hang(_, context) {
        begun = true;
        told.resolve(await fired(context.signal));
        return {};
      },
      async *split(_, context) {
        await fired(context.signal);
        yield {};
      },
    });
    const { client } = wire;
    const late = { code: Code.DeadlineExceeded };
    // A machine that stalls may let the time pass before the handler has begun; then it gets more.
    for (let timeoutMs = 10; !begun; timeoutMs *= 4) {
      expect(await failure(client.hang({}, { timeoutMs }))).toMatchObject(late);
    }
    expect(await told.promise).toMatchObject(late);
    expect(await failure(all(client.split({}, { timeoutMs: 10 })))).toMatchObject(late);
    const { timeRemainingMs } = await client.inspect({}, { timeoutMs: 60_000 });
    expect(timeRemainingMs).toBeGreaterThan(30_000);
    expect(timeRemainingMs).toBeLessThanOrEqual(60_000);
  });

  test("has no deadline with 0, with less, and with more than a timer counts", async () => {
    await using wire = await open();
    const client = createClient(EchoService, toTransport(wire.channel, { defaultTimeoutMs: 60_000 }));
    expect((await client.inspect({})).timeRemainingMs).toBeLessThanOrEqual(60_000);
    for (const timeoutMs of [0, -1, Number.POSITIVE_INFINITY]) {
      expect((await client.inspect({}, { timeoutMs })).timeRemainingMs).toBe(-1);
    }
    const month = 31 * 24 * 3_600_000;
    expect((await client.inspect({}, { timeoutMs: month })).timeRemainingMs).toBeGreaterThan(3_600_000);
    const options = { timeoutMs: "5" } as unknown as CallOptions;
    const expected = { code: Code.InvalidArgument, rawMessage: expect.stringContaining("timeoutMs") };
    expect(await failure(client.echo({}, options))).toMatchObject(expected);
  });

  test("is canceled by its signal, and the handler is told", async () => {
    const begun = Promise.withResolvers<void>();
    const told = Promise.withResolvers<unknown>();
    await using wire = await clientOf({
      async *split(_, context) {
        begun.resolve();
        told.resolve(await fired(context.signal));
        yield {};
      },
    });
    const control = new AbortController();
    const call = failure(all(wire.client.split({}, { signal: control.signal })));
    await begun.promise;
    const reason = new Error("enough");
    control.abort(reason);
    const error = await call;
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toMatchObject({ code: Code.Canceled, cause: reason });
    expect(await told.promise).toMatchObject({ code: OurCode.Canceled });
    const canceled = { code: Code.Canceled };
    expect(await failure(wire.client.echo({}, { signal: AbortSignal.abort() }))).toMatchObject(canceled);
  });

  test("leaves a stream with its signal: Connect's streams know no `break`", async () => {
    const told = Promise.withResolvers<unknown>();
    await using wire = await clientOf({
      async *split(_, context) {
        yield { text: "first" };
        told.resolve(await fired(context.signal));
      },
    });
    const control = new AbortController();
    for await (const { text } of wire.client.split({}, { signal: control.signal })) {
      expect(text).toBe("first");
      break;
    }
    control.abort();
    expect(await told.promise).toMatchObject({ code: OurCode.Canceled });
  });

  test("that has left a stream by `break` is gone at the next garbage collection", async () => {
    const told = Promise.withResolvers<unknown>();
    await using wire = await clientOf({
      async *split(_, context) {
        yield { text: "first" };
        told.resolve(await fired(context.signal));
      },
    });
    await (async () => {
      for await (const _ of wire.client.split({})) break;
    })();
    let reason: unknown;
    void told.promise.then((found) => {
      reason = found;
    });
    while (reason === undefined) {
      collectGarbage();
      await turns();
    }
    expect(reason).toMatchObject({ code: OurCode.Canceled });
  });

  test("that reads slowly keeps its stream", async () => {
    await using wire = await clientOf();
    const numbers: bigint[] = [];
    for await (const { number } of wire.client.split({ count: 50 })) {
      numbers.push(number);
      if (numbers.length % 10 === 0) collectGarbage();
      await turns(1);
    }
    expect(numbers).toHaveLength(50);
  });

  test("sends headers, text and bytes, and gets header and trailer", async () => {
    const bytes = new Uint8Array([0, 1, 254, 255, 62]);
    await using wire = await clientOf({
      echo(_, context) {
        for (const value of context.metadata.getAll("x-bytes-bin")) {
          context.responseHeader.append("x-header-bin", value);
          context.responseTrailer.append("x-trailer-bin", value);
        }
        context.responseHeader.set("x-header", `${context.metadata.get("x-text")}!`);
        return {};
      },
      async *split(_, context) {
        context.responseHeader.set("x-header", "h");
        yield {};
        context.responseTrailer.set("x-trailer", "t");
      },
      async join(requests, context) {
        await all(requests);
        context.responseHeader.set("x-header", "h");
        context.responseTrailer.set("x-trailer", "t");
        return {};
      },
    });
    const seen: Record<string, Headers> = {};
    const options: CallOptions = {
      headers: { "X-Text": "two words", "x-bytes-bin": encodeBinaryHeader(bytes) },
      onHeader: (headers) => {
        seen["header"] = headers;
      },
      onTrailer: (headers) => {
        seen["trailer"] = headers;
      },
    };
    const value = (part: string, key: string): string | null => seen[part]?.get(key) ?? null;
    await wire.client.echo({}, options);
    expect(decodeBinaryHeader(value("header", "x-header-bin") as string)).toEqual(bytes);
    expect(decodeBinaryHeader(value("trailer", "x-trailer-bin") as string)).toEqual(bytes);
    expect(value("header", "x-header")).toBe("two words!");
    for (const call of [
      () => all(wire.client.split({}, options)),
      () => wire.client.join((async function* () {})(), options),
    ]) {
      delete seen["header"];
      delete seen["trailer"];
      await call();
      expect(Object.keys(seen).sort()).toEqual(["header", "trailer"]);
      expect(value("header", "x-header")).toBe("h");
      expect(value("trailer", "x-trailer")).toBe("t");
    }
    const sent = await wire.client.inspect({}, { headers: { "x-bytes-bin": encodeBinaryHeader(bytes) } });
    const pair = sent.metadata.find(({ key }) => key === "x-bytes-bin");
    expect(Buffer.from(pair?.value ?? "", "base64")).toEqual(Buffer.from(bytes));
  });

  test("has its header before the first message where the server sends it so", async () => {
    await using wire = await clientOf({
      async *split(_, context) {
        context.responseHeader.set("x-header", "h");
        yield { text: "m" };
      },
    });
    const order: string[] = [];
    const onHeader = (header: Headers): void => void order.push(`header ${header.get("x-header")}`);
    for await (const { text } of wire.client.split({}, { onHeader })) order.push(text);
    expect(order).toEqual(["header h", "m"]);
  });

  test("may leave a stream unread: its failure is nobody's, and not the process's", async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", listener);
    {
      await using wire = await clientOf();
      wire.client.split({ count: 3, failAfter: 1 });
      wire.client.split({ count: 1 }, { signal: AbortSignal.abort() });
      await wire.client.echo({});
    }
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  });

  test("fails like any other when the channel is closed", async () => {
    const wire = await clientOf();
    await wire[Symbol.asyncDispose]();
    expect(await failure(wire.client.echo({}))).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "the channel is closed",
    });
    expect(await failure(all(wire.client.split({})))).toBeInstanceOf(ConnectError);
  });
});
