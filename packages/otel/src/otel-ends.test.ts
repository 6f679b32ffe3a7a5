// How spans end over every transport: errors, streams to their end and left early, cancellation, deadlines.
import { Code } from "@guestwire/rpc";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { all, failure, type OpenArguments, openEcho, type Sdk, startSdk, transports } from "./sdk.test.support.js";

let sdk: Sdk;
const closes: (() => Promise<void>)[] = [];
beforeEach(() => {
  sdk = startSdk();
});
afterEach(async () => {
  for (const close of closes.splice(0)) await close();
  sdk.stop();
});

describe.each(transports)("over $system", (transport) => {
  const open = async (...given: OpenArguments): ReturnType<typeof openEcho> => {
    const opened = await openEcho(transport, ...given);
    closes.push(opened.close);
    return opened;
  };

  test.each([
    [Code.NotFound, "NOT_FOUND", SpanStatusCode.UNSET],
    [Code.InvalidArgument, "INVALID_ARGUMENT", SpanStatusCode.UNSET],
    [Code.Internal, "INTERNAL", SpanStatusCode.ERROR],
    [Code.Unavailable, "UNAVAILABLE", SpanStatusCode.ERROR],
  ])("code %i is an error for the client; for the server only where it is its fault", async (code, name, status) => {
    const { client } = await open();
    await failure(client.fail({ code, message: "no luck" }));
    await sdk.until(2);
    const made = sdk.span(SpanKind.CLIENT);
    const served = sdk.span(SpanKind.SERVER);
    expect(made.status).toEqual({ code: SpanStatusCode.ERROR, message: "no luck" });
    expect(made.attributes).toMatchObject({ "rpc.response.status_code": name, "error.type": name });
    expect(served.status.code).toBe(status);
    expect(served.attributes["rpc.response.status_code"]).toBe(name);
    expect(served.attributes["error.type"]).toBe(status === SpanStatusCode.ERROR ? name : undefined);
    expect(served.events).toEqual([]);
  });

  test("what a handler throws that is no RpcError is recorded on its span", async () => {
    const { client } = await open();
    await failure(client.fail({ code: 0, message: "a bug" }));
    await sdk.until(2);
    const served = sdk.span(SpanKind.SERVER);
    expect(served.status.code).toBe(SpanStatusCode.ERROR);
    expect(served.events).toMatchObject([{ name: "exception", attributes: { "exception.message": "a bug" } }]);
  });

  test("a stream's span ends with the stream, and says how it failed", async () => {
    const { client } = await open();
    const responses = client.split({ count: 3, failAfter: 2 });
    await responses.next();
    expect(sdk.spans().filter(({ kind }) => kind === SpanKind.CLIENT)).toEqual([]);
    await failure(all(responses));
    await sdk.until(2);
    expect(sdk.span(SpanKind.CLIENT).attributes["rpc.response.status_code"]).toBe("DATA_LOSS");
    expect(sdk.span(SpanKind.SERVER).status.code).toBe(SpanStatusCode.ERROR);
  });

  test("a reader that leaves ends both spans, without an error", async () => {
    const { client } = await open({
      async *split(_, { signal }) {
        yield { text: "a" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    for await (const _ of client.split({})) break;
    await sdk.until(2);
    for (const kind of [SpanKind.CLIENT, SpanKind.SERVER]) {
      expect(sdk.span(kind).attributes).toMatchObject({ "rpc.response.status_code": "CANCELLED" });
      expect(sdk.span(kind).attributes).not.toHaveProperty("error.type");
      expect(sdk.span(kind).status.code).toBe(SpanStatusCode.UNSET);
    }
  });

  test("a stream that somebody's signal ends is an error for the client", async () => {
    const { client } = await open({
      async *split(_, { signal }) {
        yield { text: "a" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const control = new AbortController();
    const responses = client.split({}, { signal: control.signal });
    await responses.next();
    control.abort(new Error("enough"));
    await failure(all(responses));
    await sdk.until(2);
    expect(sdk.span(SpanKind.CLIENT)).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { "error.type": "CANCELLED" },
    });
    expect(sdk.span(SpanKind.SERVER).attributes["rpc.response.status_code"]).toBe("CANCELLED");
  });

  test("the deadline ends both spans, also where the handler never does", async () => {
    const { client } = await open({ echo: () => new Promise<never>(() => {}) });
    // So that there is a connection, and the time is not up before the server hears of the call.
    await client.inspect({});
    await failure(client.echo({}, { timeoutMs: 50 }));
    await sdk.until(4);
    for (const kind of [SpanKind.CLIENT, SpanKind.SERVER]) {
      const { attributes, status } = sdk.span(kind, "/Echo");
      expect(attributes["rpc.response.status_code"]).toBe("DEADLINE_EXCEEDED");
      expect(status.code).toBe(SpanStatusCode.ERROR);
    }
  });
});
