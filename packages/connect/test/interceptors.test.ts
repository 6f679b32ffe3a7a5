// Connect's interceptors on our channels and servers, on every wire, and in the order in which they are given.
import {
  type Interceptor as ConnectInterceptor,
  createClient as createConnectClient,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import {
  type CallOptions,
  createClient,
  createContextKey as createOurKey,
  createContextValues as createOurValues,
  type Interceptor,
  type Metadata,
  Code as OurCode,
} from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { describe, expect, expectTypeOf, test } from "vitest";
import { connectValuesOf, fromInterceptor, handlerContext, toTransport } from "../src/index.js";
import { all, failure, wires } from "./support/wires.js";

const log =
  (lines: string[], name: string): ConnectInterceptor =>
  (next) =>
  async (request) => {
    lines.push(`${name} ${request.method.name}`);
    const response = await next(request);
    lines.push(`${name} ${response.stream ? "stream" : "message"}`);
    return response;
  };

test("the types are those of both", () => {
  expectTypeOf(fromInterceptor).toEqualTypeOf<(interceptor: ConnectInterceptor) => Interceptor>();
  expect(() => fromInterceptor({} as never)).toThrow(/needs an interceptor of Connect/);
});

describe.each(wires)("over $name", ({ open }) => {
  test("run in order, outermost first, mixed with ours, on both sides", async () => {
    const lines: string[] = [];
    const ours: Interceptor = (next) => async (call) => {
      lines.push(`ours ${call.method.name}`);
      return next(call);
    };
    const server = { interceptors: [fromInterceptor(log(lines, "s1")), fromInterceptor(log(lines, "s2"))] };
    await using wire = await open({}, server, { interceptors: [fromInterceptor(log(lines, "c2")), ours] });
    const transport = toTransport(wire.channel, { interceptors: [log(lines, "t1"), log(lines, "t2")] });
    const client = createConnectClient(EchoService, transport);
    await client.echo({});
    expect(lines.splice(0)).toEqual([
      ...["t1 Echo", "t2 Echo", "c2 Echo", "ours Echo", "s1 Echo", "s2 Echo"],
      ...["s2 message", "s1 message", "c2 message", "t2 message", "t1 message"],
    ]);
    expect(await all(client.split({ count: 2 }))).toHaveLength(2);
    expect(lines.slice(0, 6)).toEqual(["t1 Split", "t2 Split", "c2 Split", "ours Split", "s1 Split", "s2 Split"]);
  });

  test("see the call and change its headers, on both sides", async () => {
    const seen: unknown[] = [];
    const look: ConnectInterceptor = (next) => async (request) => {
      const { service, method, stream, requestMethod, url, signal, header } = request;
      seen.push([service.typeName, method.name, stream, requestMethod, new URL(url).pathname, signal.aborted]);
      header.set("x-set", `${header.get("x-set") ?? ""}+`);
      header.append("x-append", "1");
      header.delete("x-gone");
      return next(request);
    };
    const replace: ConnectInterceptor = (next) => (request) => {
      const header = new Headers(request.header);
      header.set("x-new", "yes");
      return next({ ...request, header });
    };
    const interceptors = [look, replace].map(fromInterceptor);
    await using wire = await open(
      {
        echo: (_, context) => ({
          text: JSON.stringify([...context.metadata].filter(([key]) => key.startsWith("x-")).sort()),
        }),
        async *split(_, context) {
          yield { text: JSON.stringify([...context.metadata].filter(([key]) => key.startsWith("x-")).sort()) };
        },
      },
      { interceptors },
      { interceptors },
    );
    const client = createClient(EchoService, wire.channel);
    const options = { metadata: { "x-gone": "1", "x-set": "a" } };
    const expected = { "x-append": "1, 1", "x-new": "yes", "x-set": "a++" };
    const pairs = (text: string | undefined): Headers => new Headers(JSON.parse(text ?? "[]"));
    expect(Object.fromEntries(pairs((await client.echo({}, options)).text))).toEqual(expected);
    expect(Object.fromEntries(pairs((await all(client.split({}, options)))[0]?.text))).toEqual(expected);
    const { typeName } = EchoService;
    const unary = [typeName, "Echo", false, "POST", `/${typeName}/Echo`, false];
    const stream = [typeName, "Split", true, "POST", `/${typeName}/Split`, false];
    expect(seen).toEqual([unary, unary, stream, stream]);
  });

  test("see the response's header and trailer where the wire has them, and may add to them", async () => {
    const seen: string[] = [];
    const look: ConnectInterceptor = (next) => async (request) => {
      const response = await next(request);
      const show = (): void =>
        void seen.push(`${response.header.get("x-header")} ${response.trailer.get("x-trailer")}`);
      response.header.set("x-look", "h");
      response.trailer.set("x-look", "t");
      if (!response.stream) {
        show();
        return response;
      }
      async function* watched(messages: AsyncIterable<never>) {
        yield* messages;
        show();
      }
      return { ...response, message: watched(response.message as AsyncIterable<never>) };
    };
    await using wire = await open(
      {
        echo(_, context) {
          context.responseHeader.set("x-header", "h");
          context.responseTrailer.set("x-trailer", "t");
          return {};
        },
        async *split(_, context) {
          context.responseHeader.set("x-header", "h");
          yield {};
          context.responseTrailer.set("x-trailer", "t");
        },
      },
      {},
      { interceptors: [fromInterceptor(look)] },
    );
    const client = createClient(EchoService, wire.channel);
    const told: string[] = [];
    const options: CallOptions = {
      onHeader: (header) => void told.push(`${header.get("x-header")} ${header.get("x-look")}`),
      onTrailer: (trailer) => void told.push(`${trailer.get("x-trailer")} ${trailer.get("x-look")}`),
    };
    for (const call of [() => client.echo({}, options), () => all(client.split({}, options))]) {
      await call();
      expect(seen.splice(0)).toEqual(["h t"]);
      expect(told.splice(0)).toEqual(["h h", "t t"]);
    }
  });

  test("on the server change the response's header and trailer, in place and as a whole", async () => {
    const change: ConnectInterceptor = (next) => async (request) => {
      const response = await next(request);
      response.header.set("x-in-place", "1");
      return { ...response, trailer: new Headers({ "x-whole": "2" }) };
    };
    await using wire = await open(
      {
        echo(_, context) {
          context.responseTrailer.set("x-trailer", "gone");
          return {};
        },
        async *split(_, context) {
          context.responseTrailer.set("x-trailer", "gone");
          yield {};
        },
      },
      { interceptors: [fromInterceptor(change)] },
    );
    const client = createClient(EchoService, wire.channel);
    const told: Record<string, string>[] = [];
    const own = (pairs: Metadata): void =>
      void told.push(Object.fromEntries([...pairs].filter(([key]) => key.startsWith("x-"))));
    const options: CallOptions = { onHeader: own, onTrailer: own };
    for (const call of [() => client.echo({}, options), () => all(client.split({}, options))]) {
      await call();
      expect(told.splice(0)).toEqual([{ "x-in-place": "1" }, { "x-whole": "2" }]);
    }
  });

  test("change messages of every kind, on both sides", async () => {
    const mark =
      (name: string): ConnectInterceptor =>
      (next) =>
      async (request) => {
        const changed = <T>(message: T): T => {
          const { text } = message as { text?: string };
          return text === undefined ? message : { ...message, text: `${text}${name}` };
        };
        async function* each<T>(messages: AsyncIterable<T>) {
          for await (const message of messages) yield changed(message);
        }
        const response = await next(
          request.stream
            ? { ...request, message: each(request.message) }
            : { ...request, message: changed(request.message) },
        );
        return response.stream
          ? { ...response, message: each(response.message) }
          : { ...response, message: changed(response.message) };
      };
    const server = { interceptors: [fromInterceptor(mark("s"))] };
    await using wire = await open({}, server, { interceptors: [fromInterceptor(mark("c"))] });
    const client = createClient(EchoService, wire.channel);
    expect(await client.echo({ text: ">" })).toMatchObject({ text: ">cssc" });
    expect(await client.join([{ text: ">" }, { text: ">" }])).toMatchObject({ text: ">cs>cssc" });
    expect((await all(client.chat([{ text: ">" }])))[0]).toMatchObject({ text: ">cssc" });
    expect((await all(client.split({ count: 1 })))[0]).toMatchObject({ text: "sc" });
  });

  test("share values with ours and with handlers, in both directions", async () => {
    const user = createContextKey("nobody");
    const place = createOurKey("nowhere");
    const setUser: ConnectInterceptor = (next) => (request) => {
      request.contextValues.set(user, "ann");
      return next(request);
    };
    const ours: Interceptor = (next) => (call) => {
      call.values.set(place, connectValuesOf(call.values).get(user));
      return next(call);
    };
    const kinds: unknown[] = [];
    const look: ConnectInterceptor = (next) => (request) => {
      kinds.push(request.contextValues.get(handlerContext)?.peer.kind);
      return next(request);
    };
    await using wire = await open(
      { echo: (_, context) => ({ text: connectValuesOf(context.values).get(user) + context.values.get(place) }) },
      { interceptors: [fromInterceptor(setUser), ours, fromInterceptor(look)] },
      { interceptors: [fromInterceptor(setUser), ours, fromInterceptor(look)] },
    );
    const values = createOurValues();
    expect(await createClient(EchoService, wire.channel).echo({}, { values })).toMatchObject({ text: "annann" });
    expect(values.get(place)).toBe("ann");
    expect(kinds).toEqual([undefined, expect.stringMatching(/^(in-process|unix|tcp)$/)]);
    const contextValues = createContextValues();
    await createConnectClient(EchoService, toTransport(wire.channel)).echo({}, { contextValues });
    expect(contextValues.get(user)).toBe("ann");
  });

  test("that give a call a signal of their own end it by that", async () => {
    const control = new AbortController();
    const own: ConnectInterceptor = (next) => (request) => next({ ...request, signal: control.signal });
    const begun = Promise.withResolvers<void>();
    await using wire = await open(
      {
        async hang(_, context) {
          begun.resolve();
          await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
          return {};
        },
      },
      {},
      { interceptors: [fromInterceptor(own)] },
    );
    const call = failure(createClient(EchoService, wire.channel).hang({}));
    await begun.promise;
    control.abort("stop");
    expect(await call).toMatchObject({ code: OurCode.Canceled });
  });
});
