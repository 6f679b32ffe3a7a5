// The calls of a soak, of every kind and habit; each checks what it gets. Knows nothing of faults: errors go to who started it.
import { setTimeout as sleep } from "node:timers/promises";
import { type CallOptions, type Client, Code, createPushStream, RpcError } from "@guestwire/rpc";
import type { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import type { SimRandom } from "../sim/random.js";

/** The client that they use. */
export type EchoClient = Client<typeof EchoService>;

/** One habit of callers. */
export interface Operation {
  readonly name: string;
  /** How often it is chosen, against the others. */
  readonly weight: number;
  /** The longest that its reader pauses by itself, in milliseconds. */
  readonly pausesMs?: number;
  /** Whether it ends by its deadline or its signal only. */
  readonly endless?: boolean;
  /** Resolves when the call ended as it should; rejects with the call's error, or an Error that says what is wrong. */
  run(client: EchoClient, options: CallOptions, random: SimRandom): Promise<void>;
}

const pattern = Buffer.alloc(1 << 19);
for (let i = 0, x = 1; i < pattern.length; i++) {
  x = Math.imul(x, 0x2545f491) + 12345;
  pattern[i] = x >>> 24;
}

function payload(random: SimRandom, most = 200_000): Buffer {
  const kind = random.next();
  const bytes = random.int(0, Math.min(most, kind < 0.65 ? 200 : kind < 0.95 ? 8000 : most));
  const from = random.int(0, pattern.length - bytes);
  return pattern.subarray(from, from + bytes);
}

function check(right: boolean, what: () => string): void {
  if (!right) throw new Error(what());
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** The error of a call that has to be the application's; others go on. */
async function applicationError(call: PromiseLike<unknown>, code: Code): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RpcError && error.code === code && error.reason === undefined) return error;
    throw error;
  }
  throw new Error("a call that has to fail did not");
}

/** All of them. */
export const operations: readonly Operation[] = [
  {
    name: "echo",
    weight: 40,
    async run(client, options, random) {
      const request = { text: `t${random.int(0, 1e9)}`, payload: payload(random), number: BigInt(random.int(0, 1e9)) };
      const answer = await client.echo(request, options);
      const right =
        answer.text === request.text && answer.number === request.number && same(answer.payload, request.payload);
      check(right, () => `the echo of ${request.text} is ${answer.text}, ${answer.payload.length} bytes`);
    },
  },
  {
    name: "inspect",
    weight: 8,
    async run(client, options, random) {
      const value = `v${random.int(0, 1e9)}`;
      let trailers = 0;
      const asked = { metadata: { key: value }, onTrailer: () => void trailers++ };
      const answer = await client.inspect(
        {},
        { ...options, ...(random.chance(0.5) ? asked : { metadata: { key: value } }) },
      );
      const [pair] = answer.metadata;
      check(pair?.key === "key" && pair.value === value, () => `the metadata came as ${pair?.key}: ${pair?.value}`);
      check(trailers <= 1, () => `${trailers} trailers`);
    },
  },
  {
    name: "fail",
    weight: 5,
    async run(client, options, random) {
      const message = `m${random.int(0, 1e9)}`;
      const code = random.pick([Code.NotFound, Code.Aborted, Code.DataLoss]);
      const error = await applicationError(client.fail({ code, message }, options), code);
      check(error.rawMessage === message, () => `the error's message is ${error.rawMessage}, not ${message}`);
    },
  },
  {
    name: "split",
    weight: 12,
    async run(client, options, random) {
      const count = random.int(0, random.chance(0.2) ? 400 : 20);
      const failAfter = random.chance(0.2) ? random.int(1, 20) : 0;
      const bytes = payload(random, 20_000);
      let got = 0;
      const reading = (async () => {
        for await (const message of client.split({ count, failAfter, payload: bytes }, options)) {
          check(message.number === BigInt(got), () => `message ${got} is number ${message.number}`);
          check(same(message.payload, bytes), () => `message ${got} is another one`);
          got++;
        }
      })();
      const fails = failAfter > 0 && failAfter < count;
      if (fails) await applicationError(reading, Code.DataLoss);
      else await reading;
      check(got === (fails ? failAfter : count), () => `${got} messages of ${count}, failing after ${failAfter}`);
    },
  },
  {
    name: "join",
    weight: 8,
    async run(client, options, random) {
      const parts = Array.from({ length: random.int(0, 12) }, () => payload(random, 9000));
      const answer = await client.join(
        parts.map((part, i) => ({ payload: part, number: BigInt(i), text: `${i},` })),
        options,
      );
      const whole = Buffer.concat(parts);
      check(same(answer.payload, whole), () => `${answer.payload.length} bytes were joined, not ${whole.length}`);
      check(answer.text === parts.map((_, i) => `${i},`).join(""), () => `the texts were joined to ${answer.text}`);
    },
  },
  {
    name: "chat",
    weight: 10,
    async run(client, options, random) {
      const rounds = random.int(0, 10);
      const requests = createPushStream<{ text: string; payload: Uint8Array }>();
      const answers = client.chat(requests, options);
      for (let i = 0; i < rounds; i++) {
        const bytes = payload(random, 20_000);
        void requests.push({ text: `${i}`, payload: bytes });
        const { value } = await answers.next();
        check(value?.text === `${i}` && same(value.payload, bytes), () => `answer ${i} is ${value?.text ?? "the end"}`);
      }
      requests.end();
      check((await answers.next()).done === true, () => "an answer that nobody asked for");
    },
  },
  {
    name: "leave",
    weight: 6,
    async run(client, options, random) {
      const most = random.int(0, 5);
      let got = 0;
      for await (const message of client.split({ count: 1000, payload: payload(random, 2000) }, options)) {
        check(message.number === BigInt(got), () => `message ${got} is number ${message.number}`);
        if (got++ === most) break;
      }
    },
  },
  {
    name: "unread",
    weight: 4,
    async run(client, options, random) {
      const requests = createPushStream<{ text: string }>();
      const chat = client.chat(requests, options);
      const stream = client.split({ count: random.int(0, 100), payload: payload(random, 2000) }, options);
      void requests.push({ text: "nobody reads the answer" });
      await sleep(random.int(0, 20));
      await Promise.all([chat.return?.(), stream.return?.()]);
    },
  },
  {
    name: "slow",
    weight: 4,
    pausesMs: 30,
    async run(client, options, random) {
      const count = random.int(1, 60);
      let got = 0;
      for await (const message of client.split({ count, payload: payload(random, 20_000) }, options)) {
        check(message.number === BigInt(got), () => `message ${got} is number ${message.number}`);
        if (got++ % 4 === 0) await sleep(random.int(1, 29));
      }
      check(got === count, () => `${got} messages of ${count}`);
    },
  },
  {
    name: "hang",
    weight: 6,
    endless: true,
    async run(client, options) {
      await client.hang({}, options);
      throw new Error("a call that hangs was answered");
    },
  },
];
