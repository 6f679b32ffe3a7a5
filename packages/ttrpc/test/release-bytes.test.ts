// Memory that users give back: what they kept stays as it was, and what they gave back is used.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, createClient, type Handlers, releaseBytes } from "@guestwire/rpc";
import { codecFor } from "@guestwire/rpc/codec";
import { EchoService, echoHandlers, rawConnect, rawFrame, rawType, tempFolder, turns } from "@guestwire/testkit";
import { RequestSchema } from "@guestwire/types/ttrpc";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { connect } from "../src/channel.js";
import { ownBytes } from "../src/frame.js";
import { slabBytes } from "../src/receive-memory.js";
import { serve } from "../src/server.js";
import { failure } from "./support/calling.js";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(handlers: Partial<Handlers<typeof EchoService>> = {}) {
  const folder = await tempFolder();
  closers.push(async () => folder[Symbol.asyncDispose]());
  const server = serve().service(EchoService, { ...echoHandlers, ...handlers });
  closers.push(() => server.close());
  const channel = connect(await server.listen(`unix://${folder.file("s")}`));
  closers.push(() => channel.close());
  return createClient(EchoService, channel);
}

const payload = (size: number, seed: number): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 7) bytes[i] = i * 31 + seed;
  return bytes;
};

/** How often memory for a large message was made. */
function watchMemory(): () => number {
  const made = vi.spyOn(Buffer, "allocUnsafeSlow");
  return () => made.mock.calls.filter(([size]) => size >= ownBytes && size !== slabBytes && size !== 65_536).length;
}

describe("a client", () => {
  test("reads one response after the other into the same memory", async () => {
    const large = payload(40_000, 1);
    const client = await open({ echo: () => ({ payload: large }) });
    const made = watchMemory();
    for (let i = 0; i < 50; i++) {
      const { payload: came } = await client.echo({});
      expect(large.equals(came)).toBe(true);
      releaseBytes(came);
      expect(came.length).toBe(0);
    }
    // Once, and once more for each full garbage collection in between, which takes what waits.
    expect(made()).toBeLessThan(25);
  });

  test("without giving back gets memory of its own for each", async () => {
    // Of a size that no other test leaves memory for.
    const large = payload(1_500_000, 1);
    const client = await open({ echo: () => ({ payload: large }) });
    const made = watchMemory();
    const all = [];
    for (let i = 0; i < 10; i++) all.push((await client.echo({})).payload);
    expect([made(), new Set(all.map(({ buffer }) => buffer)).size]).toEqual([10, 10]);
  });

  test("keeps what it did not give back, whatever comes later, on streams and beside them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ size: fc.integer({ min: 0, max: 200_000 }), keep: fc.boolean(), unary: fc.boolean() }), {
          minLength: 10,
          maxLength: 60,
        }),
        async (steps) => {
          const client = await open();
          const kept: { at: number; bytes: Uint8Array }[] = [];
          const seen = (at: number, bytes: Uint8Array): void => {
            const { size, keep } = steps[at] as { size: number; keep: boolean };
            expect(payload(size, at).equals(bytes)).toBe(true);
            if (keep) kept.push({ at, bytes });
            else releaseBytes(bytes);
          };
          const of = (unary: boolean): number[] => steps.flatMap((step, at) => (step.unary === unary ? [at] : []));
          const request = (at: number) => ({ payload: payload(steps[at]?.size as number, at), number: BigInt(at) });
          const stream = async (): Promise<void> => {
            for await (const { number, payload: bytes } of client.chat(of(false).map(request))) {
              seen(Number(number), bytes);
            }
          };
          const calls = of(true).map(async (at) => seen(at, (await client.echo(request(at))).payload));
          await Promise.all([stream(), ...calls]);
          for (const { at, bytes } of kept) {
            expect(payload(steps[at]?.size as number, at).equals(bytes)).toBe(true);
          }
          expect(kept.length).toBe(steps.filter(({ keep }) => keep).length);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe("a message", () => {
  test("that was given back before its call could be sent fails the call", async () => {
    const client = await open();
    const { payload: bytes } = await client.echo({ payload: payload(100_000, 1) });
    const folder = await tempFolder();
    closers.push(async () => folder[Symbol.asyncDispose]());
    const address = `unix://${folder.file("s")}`;
    const channel = connect(address, { waitForReady: true });
    closers.push(() => channel.close());
    const waiting = failure(createClient(EchoService, channel).echo({ payload: bytes }));
    releaseBytes(bytes);
    const server = serve().service(EchoService, echoHandlers);
    closers.push(() => server.close());
    await server.listen(address);
    expect(await waiting).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining("payload: the memory of these bytes was given back"),
    });
  });
});

describe("a handler", () => {
  test("gives a request's memory back and still has the metadata and the other fields", async () => {
    const client = await open({
      echo(request, context) {
        const [{ length }, first] = [request.payload, request.payload[0]];
        releaseBytes(request.payload);
        return { text: `${length} ${first} ${context.metadata.get("name")} ${request.text} ${request.payload.length}` };
      },
    });
    for (const size of [ownBytes, 100_000, 1 << 20]) {
      const request = { text: "text", payload: Buffer.alloc(size, 9) };
      const { text } = await client.echo(request, { metadata: { name: "value" } });
      // What came within one read of the socket lies in memory of Node's.
      expect(text).toMatch(new RegExp(`^${size} 9 value text ${size > 65_536 ? 0 : "\\d+"}$`));
    }
  });

  // Ours and Go's write metadata last; protobuf lets it come first.
  test.each(["a sync", "an async"])("of %s kind has metadata that lay in front of what it gave back", async (kind) => {
    const folder = await tempFolder();
    closers.push(async () => folder[Symbol.asyncDispose]());
    const seen = Promise.withResolvers<unknown>();
    const server = serve().service(EchoService, {
      echo(request, context) {
        const answer = (): object => {
          releaseBytes(request.payload);
          seen.resolve([request.payload.length, context.metadata.get("name")]);
          return {};
        };
        return kind === "a sync" ? answer() : turns(1).then(answer);
      },
    });
    closers.push(() => server.close());
    const path = folder.file("s");
    await server.listen(`unix://${path}`);
    await using peer = await rawConnect(path);
    const part = (init: MessageInitShape<typeof RequestSchema>): Uint8Array =>
      toBinary(RequestSchema, create(RequestSchema, init));
    const inner = codecFor(EchoService.method.echo.input).toBytes({ payload: Buffer.alloc(200_000, 1) });
    const data = Buffer.concat([
      part({ metadata: [{ key: "name", value: "value" }] }),
      part({ service: EchoService.typeName, method: "Echo", payload: inner }),
    ]);
    peer.send(rawFrame(1, rawType.request, 0, data));
    expect(await seen.promise).toEqual([0, "value"]);
  });

  test("that gives back what its response carries, once it was sent, does not change what still lies in the socket", async () => {
    const client = await open({
      echo({ payload: bytes }) {
        queueMicrotask(() => releaseBytes(bytes));
        void turns(1).then(() => releaseBytes(bytes));
        return { payload: bytes };
      },
    });
    const sent = Array.from({ length: 100 }, (_, i) => payload(100_000, i));
    const came = await Promise.all(sent.map((bytes) => client.echo({ payload: bytes })));
    expect(came.every(({ payload: bytes }, i) => sent[i]?.equals(bytes))).toBe(true);
  });

  test("reads uploads into memory that it gives back", async () => {
    const client = await open({
      async join(requests) {
        let sum = 0n;
        for await (const { payload: bytes, number } of requests) {
          if (payload(bytes.length, Number(number)).equals(bytes)) sum++;
          releaseBytes(bytes);
        }
        return { number: sum };
      },
    });
    const uploads = Array.from({ length: 100 }, (_, i) => ({
      payload: payload(30_000 + 100 * i, i),
      number: BigInt(i),
    }));
    expect((await client.join(uploads)).number).toBe(100n);
  });
});
