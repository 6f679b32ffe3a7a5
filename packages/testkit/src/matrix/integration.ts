// Both ends of the service that Go's ttrpc runs its own integration tests on: the calls, and the handlers.
import { deepEqual, equal } from "node:assert/strict";
import { type Channel, createClient, createPushStream, type Handlers } from "@guestwire/rpc";
import { Streaming } from "../gen/ttrpc/integration/streaming/streaming_pb.js";

/** Makes the calls. @throws {Error} what was otherwise than expected. */
export async function runIntegration(channel: Channel): Promise<void> {
  const client = createClient(Streaming, channel);
  const next = await client.echo({ seq: 1, msg: "m" });
  deepEqual([next.seq, next.msg], [2, "m"]);

  const requests = createPushStream<{ seq: number; msg: string }>();
  const responses = client.echoStream(requests);
  for (let seq = 0; seq < 100; seq += 2) {
    void requests.push({ seq, msg: `m${seq}` });
    const { value } = await responses.next();
    deepEqual([value?.seq, value?.msg], [seq + 1, `m${seq}`]);
  }
  requests.end();
  equal((await responses.next()).done, true);

  const parts = [{}, ...Array.from({ length: 200 }, (_, i) => ({ add: i - 99 })), {}];
  const sum = await client.sumStream(parts);
  deepEqual([sum.sum, sum.num], [100, 202]);

  const divided = await all(client.divideStream({ sum: 392, num: 30 }));
  deepEqual([divided.reduce((total, { add }) => total + add, 0), divided.length], [392, 30]);

  const texts = Array.from({ length: 100 }, (_, seq) => ({ seq, msg: "null" }));
  await client.echoNull(texts);
  equal((await all(client.echoNullStream(texts))).length, 1000);
  equal((await all(client.emptyPayloadStream({}))).length, 2);
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const messages: T[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

/** The handlers. */
export const integrationHandlers: Handlers<typeof Streaming> = {
  echo: ({ seq, msg }) => ({ seq: seq + 1, msg }),
  async *echoStream(requests) {
    for await (const { seq, msg } of requests) yield { seq: seq + 1, msg };
  },
  async sumStream(requests) {
    const sum = { sum: 0, num: 0 };
    for await (const { add } of requests) {
      sum.sum += add;
      sum.num++;
    }
    return sum;
  },
  async *divideStream({ sum, num }) {
    for (let i = 0; i < num; i++) yield { add: i === 0 ? sum : 0 };
  },
  async echoNull(requests) {
    let expected = 0;
    for await (const { seq, msg } of requests) deepEqual([seq, msg], [expected++, "null"]);
    return {};
  },
  async *echoNullStream(requests) {
    for await (const _ of requests) for (let i = 0; i < 10; i++) yield {};
  },
  async *emptyPayloadStream() {
    yield {};
    yield {};
  },
};
