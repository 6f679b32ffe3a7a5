// guestwire.control.v1 as our server answers it, and what comes of it at both ends of real sessions.
import { fromBinary } from "@bufbuild/protobuf";
import { Code, createClient, type Handlers, Metadata, RpcError } from "@guestwire/rpc";
import { EchoService, rawFrame, turns } from "@guestwire/testkit";
import { ControlService, Feature, HelloResponseSchema } from "@guestwire/types/control";
import { ResponseSchema } from "@guestwire/types/ttrpc";
import { afterEach, describe, expect, test } from "vitest";
import { failure } from "../test/support/calling.js";
import { controlled, type Serving, startServing } from "../test/support/serving.js";
import { requestFrame } from "../test/support/wire.js";
import { connectInProcess } from "./in-process.js";
import { type ServeOptions, serve } from "./server.js";

let serving: Serving | undefined;

afterEach(async () => {
  await serving?.end();
  serving = undefined;
});

function start(...given: Parameters<typeof startServing>): Serving {
  serving = startServing(...given);
  return serving;
}

const control = (id: number, method: string, payload: Uint8Array | string = "") => {
  const service = ControlService.typeName;
  const name = Buffer.from(service);
  const bytes = typeof payload === "string" ? Buffer.from(payload, "hex") : payload;
  const data = Buffer.concat([
    Buffer.from([0x0a, name.length]),
    name,
    Buffer.from([0x12, method.length]),
    Buffer.from(method),
    ...(bytes.length > 0 ? [Buffer.from([0x1a, bytes.length]), bytes] : []),
  ]);
  return rawFrame(id, 1, 0, data);
};

const answered = (data: Buffer) => fromBinary(ResponseSchema, data);

describe("a raw client", () => {
  test("cancels its own call: the handler is told, and nothing is sent for it", async () => {
    const { handlers, events, release } = controlled();
    const { peer, server } = start(handlers);
    peer.send(requestFrame(1, "Echo"));
    await turns();
    peer.send(control(3, "Cancel", "0801"));
    expect(await peer.next()).toMatchObject({ id: 3, type: 2 });
    await turns();
    expect(events).toContain("echo aborted 1");
    release();
    await turns();
    expect(server.runningCalls).toBe(0);
    peer.send(control(5, "Ping"));
    expect((await peer.next()).id).toBe(5);
  });

  test("may cancel what is over, what never was, and another connection's call, to no effect", async () => {
    const { handlers, events, release } = controlled();
    const it = start(handlers);
    it.peer.send(requestFrame(1, "Echo"));
    await turns();
    const other = it.connect();
    for (const [i, payload] of ["0801", "0863", ""].entries()) {
      other.send(control(2 * i + 1, "Cancel", payload));
      expect(answered((await other.next()).data).status).toBeUndefined();
    }
    expect(events).toEqual(["echo "]);
    release();
    expect((await it.peer.next()).id).toBe(1);
  });

  test("makes room by it where no further call is taken", async () => {
    const { handlers } = controlled();
    const { peer } = start(handlers, { limits: { connectionCalls: 1 } });
    peer.send(requestFrame(1, "Echo"), requestFrame(3, "Echo"), control(5, "Cancel", "0801"));
    const refused = await peer.next();
    expect([refused.id, answered(refused.data).status?.code]).toEqual([3, Code.ResourceExhausted]);
    expect((await peer.next()).id).toBe(5);
  });

  test.each([
    ["a method that is not there", control(1, "Reboot"), Code.Unimplemented],
    ["a request that cannot be read", control(1, "Cancel", "08"), Code.Internal],
  ])("with %s gets an error", async (_, frame, code) => {
    const { peer } = start();
    peer.send(frame);
    expect(answered((await peer.next()).data).status?.code).toBe(code);
  });

  test("learns which of its features are used", async () => {
    const { peer } = start();
    for (const [id, payload, features] of [
      [1, "0a02 01 7f".replaceAll(" ", ""), [Feature.RESPONSE_METADATA]],
      [3, "", []],
    ] as const) {
      peer.send(control(id, "Hello", payload));
      const { payload: bytes } = answered((await peer.next()).data);
      expect(fromBinary(HelloResponseSchema, bytes).features).toEqual(features);
    }
  });

  test("that never said hello gets no metadata", async () => {
    const { peer } = start({
      echo(_request, context) {
        context.responseTrailer.set("a", "1");
        return {};
      },
    });
    peer.send(requestFrame(1, "Echo"));
    expect((await peer.next()).data.length).toBe(0);
  });

  test("finds it switched off where the server wants that", async () => {
    const { peer } = start(undefined, { control: false });
    peer.send(control(1, "Ping"));
    expect(answered((await peer.next()).data).status?.code).toBe(Code.Unimplemented);
  });
});

describe("our client", () => {
  const pairs = (metadata: Metadata | undefined) => [...(metadata ?? [])].map((pair) => pair.join("="));

  const tellers: Partial<Handlers<typeof EchoService>> = {
    echo({ text }, context) {
      context.responseHeader.append("h", text);
      context.responseTrailer.append("t", "1");
      context.responseTrailer.append("t", "2");
      return { text };
    },
    fail(_request, context) {
      context.responseTrailer.set("t", "left");
      throw new RpcError(Code.NotFound, "gone", { metadata: new Metadata([["e", "of the error"]]) });
    },
    async *split(_request, context) {
      yield { text: "one" };
      context.responseTrailer.set("t", "end");
    },
    async join(requests) {
      for await (const _ of requests);
      return {};
    },
  };

  async function calling(
    handlers: Partial<Handlers<typeof EchoService>>,
    run: (client: ReturnType<typeof createClient<typeof EchoService>>) => Promise<void>,
    options: ServeOptions = {},
  ): Promise<void> {
    const server = serve(options).service(EchoService, handlers);
    const channel = connectInProcess(server);
    await run(createClient(EchoService, channel));
    await channel.close();
    await server.close();
  }

  test("gets header and trailer of answers, errors and streams", async () => {
    await calling(tellers, async (client) => {
      const seen: string[][] = [];
      const options = {
        onHeader: (header: Metadata) => void seen.push(["header", ...pairs(header)]),
        onTrailer: (trailer: Metadata) => void seen.push(["trailer", ...pairs(trailer)]),
      };
      expect((await client.echo({ text: "x" }, options)).text).toBe("x");
      expect(seen.splice(0)).toEqual([
        ["header", "h=x"],
        ["trailer", "t=1", "t=2"],
      ]);
      const error = await failure(client.fail({}, options));
      expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "gone", details: [] });
      expect(pairs(error.metadata)).toEqual(["t=left", "e=of the error"]);
      expect(seen.splice(0)).toEqual([["trailer", "t=left", "e=of the error"]]);
      const texts = [];
      for await (const { text } of client.split({}, options)) texts.push(text);
      expect(texts).toEqual(["one"]);
      expect(seen.splice(0)).toEqual([["header"], ["trailer", "t=end"]]);
      // Nothing to tell: told as empty, as over gRPC.
      await client.join([], options);
      expect(seen).toEqual([["header"], ["trailer"]]);
    });
  });

  test("that did not ask is told nothing, on the same connection as one that did", async () => {
    await calling(tellers, async (client) => {
      const trailers: Metadata[] = [];
      await client.echo({ text: "x" }, { onTrailer: (trailer) => void trailers.push(trailer) });
      expect((await client.echo({ text: "y" })).text).toBe("y");
      expect(trailers.length).toBe(1);
    });
  });

  test("a listener that throws fails its call and no other", async () => {
    await calling(tellers, async (client) => {
      const error = await failure(
        client.echo(
          {},
          {
            onTrailer() {
              throw new Error("no room");
            },
          },
        ),
      );
      expect(error.rawMessage).toBe("onTrailer failed: no room");
      expect((await client.echo({ text: "next" })).text).toBe("next");
    });
  });

  test("cancels a unary call of our server, whose handler is told", async () => {
    const told = Promise.withResolvers<RpcError>();
    const begun = Promise.withResolvers<void>();
    const handlers: Partial<Handlers<typeof EchoService>> = {
      echo: (_request, { signal }) =>
        new Promise((_, reject) => {
          begun.resolve();
          signal.addEventListener("abort", () => {
            told.resolve(signal.reason);
            reject(signal.reason);
          });
        }),
    };
    await calling(handlers, async (client) => {
      const giveUp = new AbortController();
      const call = failure(client.echo({}, giveUp));
      await begun.promise;
      giveUp.abort();
      expect(await call).toMatchObject({ code: Code.Canceled });
      expect(await told.promise).toMatchObject({ code: Code.Canceled, rawMessage: "the client canceled the call" });
    });
  });
});
