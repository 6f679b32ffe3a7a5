// Our definitions in grpc-js' own hands: its server, its client, all four kinds. Their types: testkit.
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { type EchoRequest, type EchoResponse, EchoService, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type GrpcHandlers, toServiceDefinition } from "./service-definition.js";

const definition = toServiceDefinition(EchoService);

const handlers: Partial<GrpcHandlers<typeof EchoService>> = {
  echo: ({ request }, callback) => callback(null, { text: request.text, number: request.number }),
  split(call) {
    for (let i = 0; i < call.request.count; i++) call.write({ number: BigInt(i) });
    call.end();
  },
  async join(call, callback) {
    let number = 0n;
    for await (const request of call as AsyncIterable<EchoRequest>) number += request.number;
    callback(null, { number });
  },
  chat(call) {
    call.on("data", (request: EchoRequest) => call.write({ text: request.text }));
    call.on("end", () => call.end());
  },
};

let server: grpc.Server;
let client: grpc.Client & Record<string, (...args: unknown[]) => unknown>;
let allClosed: () => Promise<void>;

beforeEach(async () => {
  allClosed = watchHandles();
  server = new grpc.Server();
  server.addService(definition, handlers as grpc.UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const Client = grpc.makeGenericClientConstructor(definition, EchoService.typeName);
  client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure()) as unknown as typeof client;
});

afterEach(async () => {
  client.close();
  server.forceShutdown();
  await allClosed();
});

function ended<T>(call: (callback: (error: Error | null, reply?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    call((error, reply) => (error === null ? resolve(reply as T) : reject(error))),
  );
}

describe("a service definition in grpc-js", () => {
  test.each(["echo", "Echo"])("serves and makes unary calls, by the name %s", async (name) => {
    const reply = await ended<EchoResponse>((done) => client[name]?.({ text: "hello", number: 7n }, done));
    expect(reply).toMatchObject({ $typeName: "guestwire.test.v1.EchoResponse", text: "hello", number: 7n });
  });

  test("serves and makes streams of every kind", async () => {
    const numbers: bigint[] = [];
    const split = client["split"]?.({ count: 3 }) as grpc.ClientReadableStream<EchoResponse>;
    for await (const { number } of split as AsyncIterable<EchoResponse>) numbers.push(number);
    expect(numbers).toEqual([0n, 1n, 2n]);

    const joined = await ended<EchoResponse>((done) => {
      const join = client["join"]?.(done) as grpc.ClientWritableStream<{ number: bigint }>;
      for (const number of [1n, 2n, 3n]) join.write({ number });
      join.end();
    });
    expect(joined.number).toBe(6n);

    const chat = client["chat"]?.() as grpc.ClientDuplexStream<{ text: string }, EchoResponse>;
    const texts: string[] = [];
    chat.on("data", ({ text }: EchoResponse) => texts.push(text));
    for (const text of ["a", "b"]) chat.write({ text });
    chat.end();
    await once(chat, "end");
    expect(texts).toEqual(["a", "b"]);
  });

  test("a method without a handler is unimplemented", async () => {
    const error = await ended((done) => client["hang"]?.({}, done)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });
});

test("the definition says what each method is", () => {
  expect(Object.keys(definition)).toEqual(EchoService.methods.map(({ localName }) => localName));
  const kinds = Object.values(definition).map(({ originalName, path, requestStream, responseStream }) => [
    originalName,
    path,
    requestStream,
    responseStream,
  ]);
  expect(kinds.slice(0, 4)).toEqual([
    ["Echo", "/guestwire.test.v1.EchoService/Echo", false, false],
    ["Split", "/guestwire.test.v1.EchoService/Split", false, true],
    ["Join", "/guestwire.test.v1.EchoService/Join", true, false],
    ["Chat", "/guestwire.test.v1.EchoService/Chat", true, true],
  ]);
});
