// What servers must not answer, and grpc-js would take or misread, against bare HTTP/2.
import { once } from "node:events";
import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, createClient } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "./channel.js";

test.each([
  ["a stream that ends within a message", {}, Buffer.from([0, 0, 0, 0, 9, 8]), "within a message"],
  ["a stream that ends within a length", {}, Buffer.from([0, 0]), "within a message"],
  ["a compressed message that was not announced", {}, Buffer.from([1, 0, 0, 0, 0]), "compressed"],
  ["a compression that nobody knows", { "grpc-encoding": "zstd" }, Buffer.from([1, 0, 0, 0, 1, 0]), "compressed"],
])("%s is a fault of the protocol", async (_, headers, body, text) => {
  await using server = await bareServer((stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(body);
  });
  await using channel = connect(server.address);
  const responses = createClient(EchoService, channel).split({ count: 1 });
  await expect(responses.next()).rejects.toMatchObject({
    code: Code.Internal,
    rawMessage: expect.stringContaining(text),
    reason: "protocol",
  });
});

test("what came before the cut is read", async () => {
  await using server = await bareServer((stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 0, 0]));
  });
  await using channel = connect(server.address);
  const responses = createClient(EchoService, channel).split({ count: 2 });
  expect((await responses.next()).done).toBe(false);
  await expect(responses.next()).rejects.toMatchObject({ code: Code.Internal });
});

test("a stream that the server resets at the deadline is late, not canceled", async () => {
  await using server = await bareServer((stream) => {
    stream.close(constants.NGHTTP2_CANCEL);
  });
  await using channel = connect(server.address);
  const client = createClient(EchoService, channel);
  await expect(client.echo({}, { timeoutMs: 15 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await expect(client.echo({}, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: Code.Canceled });
  await expect(client.echo({})).rejects.toMatchObject({ code: Code.Canceled });
});

async function bareServer(answer: (stream: ServerHttp2Stream) => void): Promise<AsyncDisposable & { address: string }> {
  const server = createServer();
  server.on("stream", answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
