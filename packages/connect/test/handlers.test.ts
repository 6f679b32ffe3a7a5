// Services written for Connect on our servers, on every wire.
import { create } from "@bufbuild/protobuf";
import {
  Code as ConnectCode,
  ConnectError,
  type Interceptor as ConnectInterceptor,
  type ConnectRouter,
  createContextKey,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  Code,
  createClient,
  createInProcessChannel,
  createRouter,
  type Handlers,
  type Metadata,
  RpcError,
  type ServiceRegistry,
} from "@guestwire/rpc";
import { EchoRequestSchema, EchoService, turns } from "@guestwire/testkit";
import { describe, expect, expectTypeOf, test } from "vitest";
import { addRoutes, fromInterceptor, handlerContext, toHandlers } from "../src/index.js";
import { all, type EchoHandlers, type EchoImpl, failure, fired, wires } from "./support/wires.js";

test("the types are those of both", () => {
  expectTypeOf(toHandlers<typeof EchoService>)
    .parameter(1)
    .toEqualTypeOf<Partial<ServiceImpl<typeof EchoService>>>();
  expectTypeOf(toHandlers<typeof EchoService>).returns.toEqualTypeOf<Partial<Handlers<typeof EchoService>>>();
  expectTypeOf(addRoutes<ServiceRegistry>)
    .parameter(1)
    .toEqualTypeOf<(router: ConnectRouter) => void>();
  expect(() => toHandlers(undefined as never, {})).toThrow(/needs a generated service/);
  expect(() => toHandlers(EchoService, 7 as never)).toThrow(/the implementation of .*EchoService is no object/);
  expect(() => addRoutes(createRouter(), undefined as never)).toThrow(/a function that gets a ConnectRouter/);
});

describe.each(wires)("over $name", ({ open }) => {
  const serve = async (impl: EchoImpl) => open(toHandlers(EchoService, impl) as EchoHandlers);

  test("all four kinds, by an instance of a class", async () => {
    class Echo {
      readonly mark = "!";
      echo({ text }: { text: string }) {
        return { text: text + this.mark };
      }
      async *split({ count }: { count: number }) {
        for (let i = 0; i < count; i++) yield { text: `${i}${this.mark}` };
      }
      async join(requests: AsyncIterable<{ text: string }>) {
        return { text: (await all(requests)).map(({ text }) => text).join(this.mark) };
      }
      async *chat(requests: AsyncIterable<{ text: string }>) {
        for await (const { text } of requests) yield { text: text + this.mark };
      }
    }
    await using wire = await serve(new Echo());
    const client = createClient(EchoService, wire.channel);
    expect(await client.echo({ text: "a" })).toMatchObject({ text: "a!" });
    expect((await all(client.split({ count: 2 }))).map(({ text }) => text)).toEqual(["0!", "1!"]);
    expect(await client.join([{ text: "a" }, { text: "b" }])).toMatchObject({ text: "a!b" });
    expect((await all(client.chat([{ text: "x" }]))).map(({ text }) => text)).toEqual(["x!"]);
  });

  test("get Connect's context, whole", async () => {
    const seen: HandlerContext[] = [];
    const kinds: unknown[] = [];
    await using wire = await serve({
      echo(_, context) {
        // As code does that wraps handlers: all of it must be in the copy.
        seen.push({ ...context });
        kinds.push(context.values.get(handlerContext)?.peer.kind);
        context.responseHeader.set("x-header", `${context.requestHeader.get("X-Text")}!`);
        context.responseTrailer.append("x-trailer", "t");
        return { number: BigInt(Math.ceil(context.timeoutMs() ?? -1)) };
      },
    });
    const client = createClient(EchoService, wire.channel);
    const told: (string | undefined)[] = [];
    const { number } = await client.echo(
      {},
      {
        timeoutMs: 60_000,
        metadata: { "x-text": "two words" },
        onHeader: (header) => void told.push(header.get("x-header")),
        onTrailer: (trailer) => void told.push(trailer.get("x-trailer")),
      },
    );
    expect(number > 30_000n && number <= 60_000n).toBe(true);
    expect(told).toEqual(["two words!", "t"]);
    expect((await client.echo({})).number).toBe(-1n);
    const [context] = seen;
    expect(context).toMatchObject({ method: EchoService.method.echo, service: EchoService, requestMethod: "POST" });
    expect(context?.protocolName).toMatch(/^(in-process|ttrpc|grpc)$/);
    expect(new URL(context?.url ?? "").pathname).toBe(`/${EchoService.typeName}/Echo`);
    expect(kinds[0]).toMatch(/^(in-process|unix|tcp)$/);
  });

  test("are told by their signal that the client has gone, and that they are done", async () => {
    const told = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    const signals: AbortSignal[] = [];
    await using wire = await serve({
      async *split(_, { signal }) {
        begun.resolve();
        told.resolve(await fired(signal));
        yield {};
      },
      echo(_, { signal }) {
        signals.push(signal);
        return { text: `${signal.aborted}` };
      },
      async *chat(_, { signal }) {
        signals.push(signal);
        yield { text: `${signal.aborted}` };
      },
    });
    const client = createClient(EchoService, wire.channel);
    const control = new AbortController();
    const call = failure(all(client.split({}, { signal: control.signal })));
    await begun.promise;
    control.abort();
    expect(await call).toMatchObject({ code: Code.Canceled });
    const reason = await told.promise;
    expect(reason).toBeInstanceOf(ConnectError);
    expect(reason).toMatchObject({ code: ConnectCode.Canceled });
    expect(await client.echo({})).toMatchObject({ text: "false" });
    expect((await all(client.chat([])))[0]).toMatchObject({ text: "false" });
    await turns();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  test("throw errors that keep code, details and metadata; whatever else they throw tells nothing", async () => {
    const detail = { desc: EchoRequestSchema, value: { text: "d" } };
    const refuse = (): never => {
      throw new ConnectError("no", ConnectCode.NotFound, { "x-why": "because" }, [detail]);
    };
    const leak = (): never => {
      throw new Error("/etc/secret");
    };
    await using wire = await serve({
      echo: refuse,
      split: refuse,
      async *chat() {
        yield {};
        refuse();
      },
      join: async () => leak(),
      hang: leak,
      inspect: () => {
        throw new RpcError(Code.Aborted, "ours");
      },
    });
    const client = createClient(EchoService, wire.channel);
    // On ttrpc an error's metadata are for those who ask.
    const options = { onTrailer: () => {} };
    for (const call of [
      () => client.echo({}, options),
      () => all(client.split({}, options)),
      () => all(client.chat([], options)),
    ]) {
      const error = RpcError.from(await failure(call()));
      expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "no" });
      expect(error.findDetails(EchoRequestSchema)).toEqual([create(EchoRequestSchema, { text: "d" })]);
      expect(error.metadata?.get("x-why")).toBe("because");
    }
    const masked = { code: Code.Internal, rawMessage: "internal error" };
    expect(await failure(client.join([]))).toMatchObject(masked);
    expect(await failure(client.hang({}))).toMatchObject(masked);
    expect(await failure(client.inspect({}))).toMatchObject({ code: Code.Aborted, rawMessage: "ours" });
  });

  test("read a stream of requests that fails as one of Connect's errors", async () => {
    const told = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    await using wire = await serve({
      async join(requests) {
        try {
          for await (const _ of requests) begun.resolve();
        } catch (error) {
          told.resolve(error);
        }
        return {};
      },
    });
    const control = new AbortController();
    async function* requests() {
      yield {};
      await begun.promise;
      control.abort();
      await new Promise<never>(() => {});
    }
    await failure(createClient(EchoService, wire.channel).join(requests(), { signal: control.signal }));
    expect(await told.promise).toBeInstanceOf(ConnectError);
  });

  test("methods that an implementation lacks are Unimplemented", async () => {
    const registry = createRouter().service(EchoService, toHandlers(EchoService, {}));
    await using channel = createInProcessChannel(registry);
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject({ code: Code.Unimplemented });
  });
});

describe("routes", () => {
  const clientOf = (routes: (router: ConnectRouter) => void) =>
    createClient(EchoService, createInProcessChannel(addRoutes(createRouter(), routes)));

  test("of services and of single methods", async () => {
    const client = clientOf((router) => {
      router
        .rpc(EchoService.method.echo, ({ text }) => ({ text: `${text}!` }))
        .rpc(EchoService.method.split, async function* () {
          yield { text: "split" };
        })
        .service(EchoService, { inspect: () => ({ path: "inspect" }) });
    });
    expect(await client.echo({ text: "a" })).toMatchObject({ text: "a!" });
    expect((await all(client.split({})))[0]).toMatchObject({ text: "split" });
    expect(await client.inspect({})).toMatchObject({ path: "inspect" });
    expect(await failure(client.hang({}))).toMatchObject({ code: Code.Unimplemented });
  });

  test("with interceptors and a gate, each for what it was registered with", async () => {
    const user = createContextKey("nobody");
    const log: string[] = [];
    const look =
      (name: string): ConnectInterceptor =>
      (next) =>
      (request) => {
        log.push(`${name} ${request.method.name}`);
        return next(request);
      };
    const client = clientOf((router) => {
      router.rpc(EchoService.method.echo, (_, { values }) => ({ text: values.get(user) }), {
        interceptors: [look("first"), look("second")],
        requestGate: ({ requestHeader, values }) => {
          log.push("gate");
          const token = requestHeader.get("token");
          if (token === null) throw new ConnectError("who are you?", ConnectCode.Unauthenticated);
          if (token === "broken") throw new Error("secret");
          values.set(user, token);
        },
      });
      router.service(EchoService, { inspect: () => ({}) }, { interceptors: [look("third")] });
    });
    expect(await client.echo({}, { metadata: { token: "ann" } })).toMatchObject({ text: "ann" });
    await client.inspect({});
    expect(log.splice(0)).toEqual(["gate", "first Echo", "second Echo", "third Inspect"]);
    expect(await failure(client.echo({}))).toMatchObject({ code: Code.Unauthenticated, rawMessage: "who are you?" });
    const broken = await failure(client.echo({}, { metadata: { token: "broken" } }));
    expect(broken).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(log).toEqual(["gate", "gate"]);
  });

  test("registered twice are refused by name", () => {
    const twice = (router: ConnectRouter): void => {
      router.service(EchoService, { echo: () => ({}) }).rpc(EchoService.method.echo, () => ({}));
    };
    expect(() => addRoutes(createRouter(), twice)).toThrow(
      /the method guestwire\.test\.v1\.EchoService\.echo is registered/,
    );
    const registry = createRouter().service(EchoService, {});
    expect(() => addRoutes(registry, (router) => void router.service(EchoService, {}))).toThrow(/registered already/);
  });

  test("run behind interceptors of the server", async () => {
    const header: string[] = [];
    const own: ConnectInterceptor = (next) => (request) => {
      request.header.set("x-user", "ann");
      return next({ ...request, header: new Headers(request.header) });
    };
    const registry = createRouter({ interceptors: [fromInterceptor(own)] });
    addRoutes(registry, (router) =>
      router.service(EchoService, {
        echo(_, { requestHeader }) {
          header.push(requestHeader.get("x-user") ?? "");
          return {};
        },
      }),
    );
    const seen: Metadata[] = [];
    await createClient(EchoService, createInProcessChannel(registry)).echo({}, { onHeader: (h) => void seen.push(h) });
    expect(header).toEqual(["ann"]);
    expect(seen).toHaveLength(1);
  });
});
