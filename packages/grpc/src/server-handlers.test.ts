// What a handler is told of its call and what the client gets of what it does: metadata, errors, deadlines, its end.
import { Code, createPushStream, type HandlerContext, RpcError } from "@guestwire/rpc";
import { watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { echoFrame, echoServer, failure, fired, framed, rawClient, rawEnd, until } from "./server.test.support.js";

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

describe("metadata", () => {
  test("of requests reaches the handler without what belongs to gRPC; -bin values as base64", async () => {
    await using peer = await echoServer();
    await using raw = await rawClient(peer.address);
    const call = raw.call("Inspect", {
      "x-one": "1",
      "x-bytes-bin": "AAEC",
      "grpc-timeout": "10S",
      "user-agent": "me",
    });
    call.end(framed(new Uint8Array()));
    const chunks: Buffer[] = [];
    call.on("data", (chunk: Buffer) => chunks.push(chunk));
    expect(await rawEnd(call)).toMatchObject({ http: 200, status: 0 });
    const text = Buffer.concat(chunks).toString("latin1");
    for (const part of ["x-one", "x-bytes-bin", "AAEC", "user-agent"]) expect(text).toContain(part);
    for (const part of ["grpc-timeout", "content-type", "trailers"]) expect(text).not.toContain(part);
  });

  test("of responses is sent: the header before the first message, the trailer with the end", async () => {
    await using peer = await echoServer({
      async *split(_, { responseHeader, responseTrailer }) {
        responseHeader.set("x-header", "1").append("x-bytes-bin", "AAEC");
        yield {};
        responseHeader.set("x-header", "too late");
        responseTrailer.set("x-trailer", "2");
      },
    });
    await using raw = await rawClient(peer.address);
    const call = raw.call("Split");
    call.end(framed(new Uint8Array()));
    const { headers, trailers } = await rawEnd(call);
    expect(headers).toMatchObject({ "x-header": "1", "x-bytes-bin": "AAEC", "content-type": "application/grpc+proto" });
    expect(trailers).toMatchObject({ "x-trailer": "2", "grpc-status": "0" });
  });

  test("of responses is sent with errors too, and where no message comes", async () => {
    await using peer = await echoServer({
      fail(_, { responseHeader, responseTrailer }) {
        responseHeader.set("x-header", "1");
        responseTrailer.set("x-trailer", "2");
        throw new RpcError(Code.NotFound, "gone");
      },
      split(_, { responseHeader }) {
        responseHeader.set("x-header", "1");
        return [];
      },
    });
    await using raw = await rawClient(peer.address);
    for (const [method, status] of [
      ["Fail", 5],
      ["Split", 0],
    ] as const) {
      const call = raw.call(method);
      call.end(framed(new Uint8Array()));
      const ended = await rawEnd(call);
      expect(ended).toMatchObject({ status, headers: { "x-header": "1" } });
    }
  });

  test.each([
    ["x-ä", "1"],
    ["grpc key", "1"],
    ["x-value", "grün"],
    ["connection", "close"],
    ["x-large", "x".repeat(70_000)],
  ])("of responses that cannot be sent is an error of that call: %s", async (key, value) => {
    let which: "responseHeader" | "responseTrailer" = "responseHeader";
    await using peer = await echoServer({
      echo: (_, context) => {
        (context[which] as unknown as { flat: string[] }).flat.push(key, value);
        return {};
      },
    });
    expect(await failure(peer.client.echo({}))).toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringMatching(/^the response header /),
    });
    which = "responseTrailer";
    expect(await failure(peer.client.echo({}))).toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringMatching(/^the response trailer /),
    });
    expect((await peer.client.inspect({})).path).toMatch(/Inspect$/);
  });
});

describe("errors", () => {
  test("that are too large to be sent keep their code, and so do details that cannot be", async () => {
    await using peer = await echoServer({
      fail({ message }) {
        const details = message === "details" ? [{ typeUrl: "a.B", value: "no bytes" as never }] : [];
        throw new RpcError(Code.DataLoss, message === "details" ? "x" : "ä".repeat(30_000), { details });
      },
    });
    expect(await failure(peer.client.fail({}))).toMatchObject({
      code: Code.DataLoss,
      rawMessage: "the error's message and details are too large to be sent",
    });
    expect(await failure(peer.client.fail({ message: "details" }))).toMatchObject({ code: Code.DataLoss });
  });

  test("never show where they were thrown", async () => {
    await using peer = await echoServer({
      echo() {
        throw new TypeError("plain");
      },
    });
    await using raw = await rawClient(peer.address);
    const call = raw.call("Echo");
    call.end(echoFrame("x"));
    const { status, headers, trailers } = await rawEnd(call);
    expect(status).toBe(Code.Unknown);
    expect(JSON.stringify([headers, trailers])).not.toContain("server-handlers");
  });
});

describe("deadlines", () => {
  test("reach the handler and fire its signal", async () => {
    const told = Promise.withResolvers<[number, unknown]>();
    await using peer = await echoServer({
      async hang(_, context) {
        const left = context.timeRemainingMs();
        told.resolve([left, await fired(context.signal)]);
        return {};
      },
    });
    await using raw = await rawClient(peer.address);
    const call = raw.call("Hang", { "grpc-timeout": "30m" });
    call.end(framed(new Uint8Array()));
    expect(await rawEnd(call)).toMatchObject({ status: Code.DeadlineExceeded });
    const [left, reason] = await told.promise;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(30);
    expect(reason).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: "the deadline passed" });
  });

  test.each(["99999999H", "9999999S", "99999999m"])(
    "of %s are cut to the limit, not taken for passed",
    async (time) => {
      await using peer = await echoServer();
      await using raw = await rawClient(peer.address);
      let deadline: Date | undefined;
      await using cut = await echoServer(
        {
          echo(_, context) {
            deadline = context.deadline;
            return {};
          },
        },
        { limits: { deadlineMs: 60_000 } },
      );
      await using other = await rawClient(cut.address);
      for (const client of [raw, other]) {
        const call = client.call("Echo", { "grpc-timeout": time });
        call.end(echoFrame("x"));
        expect(await rawEnd(call)).toMatchObject({ status: 0 });
      }
      expect((deadline as Date).getTime() - Date.now()).toBeLessThanOrEqual(60_000);
    },
  );

  test("that cannot be read are refused", async () => {
    await using peer = await echoServer();
    await using raw = await rawClient(peer.address);
    const call = raw.call("Echo", { "grpc-timeout": "soon" });
    call.end(echoFrame("x"));
    expect(await rawEnd(call)).toMatchObject({ status: Code.Internal, message: expect.stringContaining("soon") });
  });
});

describe("the end of a call", () => {
  test("a client that leaves fires the signal, fails the reading and runs what a generator does at its end", async () => {
    const reason = Promise.withResolvers<unknown>();
    const reading = Promise.withResolvers<unknown>();
    const cleaned = Promise.withResolvers<void>();
    await using peer = await echoServer({
      async *chat(requests, context) {
        void fired(context.signal).then(reason.resolve);
        try {
          for await (const _ of requests) yield {};
        } catch (error) {
          reading.resolve(error);
        } finally {
          cleaned.resolve();
        }
      },
    });
    const control = new AbortController();
    const requests = createPushStream<object>();
    const responses = peer.client.chat(requests, { signal: control.signal });
    await requests.push({});
    await responses.next();
    control.abort();
    const canceled = { code: Code.Canceled, rawMessage: "the client canceled the call" };
    expect(await reason.promise).toMatchObject(canceled);
    expect(await reading.promise).toMatchObject(canceled);
    await cleaned.promise;
    await until(() => peer.server.runningCalls === 0);
  });

  test("a connection that breaks does the same", async () => {
    const reason = Promise.withResolvers<unknown>();
    await using peer = await echoServer({
      async *split(_, context) {
        void fired(context.signal).then(reason.resolve);
        yield {};
        await fired(context.signal);
      },
    });
    const raw = await rawClient(peer.address);
    const call = raw.call("Split");
    call.end(framed(new Uint8Array()));
    await new Promise((resolve) => call.once("data", resolve));
    await raw[Symbol.asyncDispose]();
    expect(await reason.promise).toMatchObject({ code: Code.Canceled });
    await until(() => peer.server.runningCalls === 0);
  });

  test("an answer before all requests were read ends the call, and the client's stream with it", async () => {
    await using peer = await echoServer({
      async join(requests) {
        for await (const { text } of requests) return { text };
        return {};
      },
    });
    const left = Promise.withResolvers<void>();
    async function* endless() {
      try {
        for (let i = 0; ; i++) yield { text: `${i}`, payload: new Uint8Array(1024) };
      } finally {
        left.resolve();
      }
    }
    expect(await peer.client.join(endless())).toMatchObject({ text: "0" });
    await left.promise;
    expect(peer.server.runningCalls).toBe(0);
  });

  test("a signal stays quiet once the handler has returned", async () => {
    let context: HandlerContext | undefined;
    await using peer = await echoServer({
      echo: (_, given) => {
        context = given;
        return {};
      },
    });
    await peer.client.echo({}, { timeoutMs: 20 });
    const later = await rawClient(peer.address);
    const hanging = later.call("Hang", { "grpc-timeout": "40m" });
    hanging.end(framed(new Uint8Array()));
    await rawEnd(hanging);
    expect(context?.signal.aborted).toBe(false);
    await later[Symbol.asyncDispose]();
  });
});

describe("bounds", () => {
  test("more handlers than a server may have are refused", async () => {
    const go = Promise.withResolvers<object>();
    await using peer = await echoServer({ hang: () => go.promise }, { limits: { serverCalls: 2 } });
    const calls = [peer.client.hang({}), peer.client.hang({})];
    await until(() => peer.server.runningCalls === 2);
    expect(await failure(peer.client.inspect({}))).toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: "too many calls are running",
    });
    go.resolve({});
    await Promise.all(calls);
    expect((await peer.client.inspect({})).peerKind).toBe("unix");
  });

  test("handlers whose client canceled count as long as they run, for their connection alone", async () => {
    const go = Promise.withResolvers<object>();
    await using peer = await echoServer({ hang: () => go.promise }, { limits: { connectionCalls: 2 } });
    await using raw = await rawClient(peer.address);
    for (let i = 1; i <= 2; i++) {
      const call = raw.call("Hang");
      call.end(framed(new Uint8Array()));
      await until(() => peer.server.runningCalls === i);
      call.close(8);
    }
    const third = raw.call("Echo");
    third.end(echoFrame("x"));
    expect(await rawEnd(third)).toMatchObject({ status: Code.ResourceExhausted });
    expect(await peer.client.echo({ text: "other" })).toMatchObject({ text: "other" });
    go.resolve({});
    await until(() => peer.server.runningCalls === 0);
    const fourth = raw.call("Echo");
    fourth.end(echoFrame("x"));
    expect(await rawEnd(fourth)).toMatchObject({ status: 0 });
  });

  test("messages of the limit pass, larger ones do not, in both directions, and the handler is told", async () => {
    const told = Promise.withResolvers<unknown>();
    await using peer = await echoServer(
      {
        async join(requests, context) {
          void fired(context.signal).then(told.resolve);
          for await (const _ of requests);
          return {};
        },
      },
      { limits: { receiveMessageBytes: 1000, sendMessageBytes: 2000 } },
    );
    // Two bytes for the length, one for the tag.
    expect(await peer.client.echo({ payload: new Uint8Array(997) })).toMatchObject({ payload: { length: 997 } });
    const over = { code: Code.ResourceExhausted };
    expect(await failure(peer.client.echo({ payload: new Uint8Array(998) }))).toMatchObject(over);
    expect(await failure(peer.client.join([{}, { payload: new Uint8Array(998) }]))).toMatchObject(over);
    expect(await told.promise).toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringMatching(/could not be read/),
    });
    await using replies = await echoServer(
      {
        echo: ({ number }) => ({ payload: new Uint8Array(Number(number)) }),
        async *split() {
          yield { payload: new Uint8Array(997) };
          yield { payload: new Uint8Array(998) };
        },
      },
      { limits: { sendMessageBytes: 1000 } },
    );
    expect(await replies.client.echo({ number: 997n })).toMatchObject({ payload: { length: 997 } });
    const text = "message length 1001 exceed maximum message size of 1000";
    expect(await failure(replies.client.echo({ number: 998n }))).toMatchObject({ ...over, rawMessage: text });
    const stream = replies.client.split({});
    expect((await stream.next()).value?.payload.length).toBe(997);
    expect(await failure(stream.next())).toMatchObject({ ...over, rawMessage: text });
  });
});
