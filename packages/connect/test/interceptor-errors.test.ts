// Connect's interceptors on our channels and servers, and what goes wrong: errors, repeated calls, answers of their own.
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor as ConnectInterceptor } from "@connectrpc/connect";
import { createClient, type Metadata, Code as OurCode, RpcError } from "@guestwire/rpc";
import { EchoRequestSchema, EchoService } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { fromInterceptor } from "../src/index.js";
import { all, failure, wires } from "./support/wires.js";

describe.each(wires)("over $name", ({ open }) => {
  test("see errors as Connect's and throw their own, which keep code, details and metadata", async () => {
    const caught: unknown[] = [];
    const look: ConnectInterceptor = (next) => async (request) => {
      try {
        return await next(request);
      } catch (error) {
        caught.push(error);
        throw error;
      }
    };
    const detail = { desc: EchoRequestSchema, value: { text: "d" } };
    const refuse: ConnectInterceptor = () => () =>
      Promise.reject(new ConnectError("no", Code.FailedPrecondition, { "x-why": "because" }, [detail]));
    const server = { interceptors: [fromInterceptor(refuse)] };
    await using wire = await open({}, server, { interceptors: [fromInterceptor(look)] });
    const client = createClient(EchoService, wire.channel);
    const calls = [
      () => client.echo({}),
      () => all(client.split({})),
      () => client.join([]),
      () => all(client.chat([])),
    ];
    for (const call of calls) {
      const error = RpcError.from(await failure(call()));
      expect(error).toMatchObject({ code: OurCode.FailedPrecondition, rawMessage: "no", peer: wire.channel.target });
      expect(error.findDetails(EchoRequestSchema)).toEqual([create(EchoRequestSchema, { text: "d" })]);
      const found = caught.pop();
      expect(found).toBeInstanceOf(ConnectError);
      expect(found).toMatchObject({ code: Code.FailedPrecondition, rawMessage: "no" });
    }
    const local = createClient(EchoService, wire.channel, { interceptors: [fromInterceptor(refuse)] });
    const error = RpcError.from(await failure(local.echo({})));
    expect(error).toMatchObject({ code: OurCode.FailedPrecondition, method: `/${EchoService.typeName}/Echo` });
    expect(error.metadata?.get("x-why")).toBe("because");
    expect(await failure(all(local.split({})))).toMatchObject({ code: OurCode.FailedPrecondition });
  });

  test("may repeat a call, and answer one by themselves", async () => {
    let attempts = 0;
    const retry: ConnectInterceptor = (next) => async (request) => {
      for (;;) {
        try {
          return await next(request);
        } catch (error) {
          if (ConnectError.from(error).code !== Code.Unavailable) throw error;
        }
      }
    };
    await using wire = await open(
      {
        echo: () => {
          if (++attempts < 3) throw new RpcError(OurCode.Unavailable, "later");
          return { text: `${attempts}` };
        },
        async *split() {
          if (++attempts < 6) throw new RpcError(OurCode.Unavailable, "later");
          yield { text: `${attempts}` };
        },
      },
      {},
      { interceptors: [fromInterceptor(retry)] },
    );
    const client = createClient(EchoService, wire.channel);
    expect(await client.echo({})).toMatchObject({ text: "3" });
    expect((await all(client.split({})))[0]).toMatchObject({ text: "6" });
    const cached: ConnectInterceptor = () => async (request) => {
      const common = { service: request.service, header: new Headers({ "x-from": "cache" }), trailer: new Headers() };
      const message = create(EchoService.method.echo.output, { text: "cached" });
      if (!request.stream) return { ...common, stream: false, method: request.method, message };
      async function* one() {
        yield message;
      }
      return { ...common, stream: true, method: request.method, message: one() };
    };
    const over = createClient(EchoService, wire.channel, { interceptors: [fromInterceptor(cached)] });
    const headers: string[] = [];
    const onHeader = (header: Metadata): void => void headers.push(header.get("x-from") ?? "");
    expect(await over.echo({}, { onHeader })).toMatchObject({ text: "cached" });
    expect((await all(over.split({}, { onHeader })))[0]).toMatchObject({ text: "cached" });
    expect(headers).toEqual(["cache", "cache"]);
    expect(attempts).toBe(6);
  });

  test("that forget to answer, or answer with another kind, are named", async () => {
    await using wire = await open();
    const forgets: ConnectInterceptor = (next) => (request) => next(request).then(() => undefined as never);
    const swaps: ConnectInterceptor = (next) => async (request) =>
      ({ ...(await next(request)), stream: true }) as never;
    for (const [interceptor, text] of [
      [forgets, "with nothing"],
      [swaps, "with a stream"],
    ] as const) {
      const client = createClient(EchoService, wire.channel, { interceptors: [fromInterceptor(interceptor)] });
      expect(await failure(client.echo({}))).toMatchObject({
        code: OurCode.Internal,
        rawMessage: `an interceptor of Connect answered /${EchoService.typeName}/Echo ${text}`,
      });
    }
  });
});
