// Replies that are together far more than a connection may queue: they wait for the client, who loses none.
import { createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, watchHandles } from "@guestwire/testkit";
import { afterAll, expect, test } from "vitest";
import { connectInProcess } from "../src/in-process.js";
import { serve } from "../src/server.js";

const nothingLeft = watchHandles();
const payload = new Uint8Array(60_000).fill(7);
const limits = { sendBytes: 100_000, streamSendBytes: 50_000, sendLimitBytes: 400_000 };

afterAll(nothingLeft);

test("of unary calls that finish at the same time", async () => {
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  const server = serve({ limits }).service(EchoService, {
    echo: async (request) => {
      if (++begun === 40) resolve();
      await all;
      return { payload, number: request.number };
    },
  });
  const channel = connectInProcess(server);
  const client = createClient(EchoService, channel);
  const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => client.echo({ number: BigInt(i) })));
  expect(replies.map(({ number }) => Number(number))).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect(replies.every((reply) => reply.payload.length === payload.length)).toBe(true);
  expect(server.runningCalls).toBe(0);
  await channel.close();
  await server.close();
});

test("of streams that all have room at the same time", async () => {
  const server = serve({ limits }).service(EchoService, echoHandlers);
  const channel = connectInProcess(server);
  const client = createClient(EchoService, channel);
  const counts = await Promise.all(
    Array.from({ length: 30 }, async () => {
      let count = 0;
      for await (const message of client.split({ count: 10, payload }))
        count += message.payload.length / payload.length;
      return count;
    }),
  );
  expect(counts).toEqual(Array.from({ length: 30 }, () => 10));
  await channel.close();
  await server.close();
});
