// Replies of one connection that wait because its client reads slowly: their order, their end, and what streams get meanwhile.
import { decodeFrames, EchoService, encodeFrames, FakeClock, type RawFrame, rawType, turns } from "@guestwire/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { echo, requestFrame, say } from "../test/support/wire.js";
import type { Link, LinkHandler } from "./link.js";
import { TtrpcServer } from "./server.js";

/** A link that keeps what it is given, as a socket whose client does not read, until the test takes it. */
class HeldLink implements Link {
  readonly peer = { kind: "held", address: "held:" };
  readonly #written: Uint8Array[] = [];
  #handler: LinkHandler | undefined;
  queuedBytes = 0;
  most = 0;

  start(handler: LinkHandler): void {
    this.#handler = handler;
  }
  write(bytes: Buffer): boolean {
    this.writeAll([bytes]);
    return false;
  }
  writeAll(pieces: readonly Uint8Array[]): void {
    this.#written.push(...pieces);
    for (const { length } of pieces) this.queuedBytes += length;
    this.most = Math.max(this.most, this.queuedBytes);
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.destroy();
  }
  destroy(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(undefined);
  }

  receive(...frames: RawFrame[]): void {
    this.#handler?.received(encodeFrames(frames));
  }
  /** Takes what is queued, and tells nobody: a socket is silent where more was written in the meantime. */
  take(): RawFrame[] {
    const { frames, rest } = decodeFrames(Buffer.concat(this.#written.splice(0)));
    expect(rest).toHaveLength(0);
    this.queuedBytes = 0;
    return frames;
  }
  /** Takes what is queued, and tells so. */
  async drain(): Promise<RawFrame[]> {
    const frames = this.take();
    this.#handler?.drained();
    await turns(2);
    return frames;
  }
  /** Takes all there is. */
  async drainAll(): Promise<RawFrame[]> {
    const frames: RawFrame[] = [];
    while (this.queuedBytes > 0) frames.push(...(await this.drain()));
    return frames;
  }
}

const payload = Buffer.alloc(100_000);
const limits = { sendBytes: 350_000, streamSendBytes: 150_000, sendLimitBytes: 900_000 };
const ids = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + 2 * i);
const idsOf = (frames: readonly RawFrame[]): number[] => frames.map(({ id }) => id);

let clock: FakeClock;
let server: TtrpcServer;
let link: HeldLink;

function ask(...wanted: number[]): void {
  link.receive(...wanted.map((id) => requestFrame(id, "Echo")));
}

beforeEach(() => {
  clock = new FakeClock();
  server = new TtrpcServer({ limits }, clock).service(EchoService, {
    echo: () => ({ payload }),
    async *split() {
      for (;;) yield { payload };
    },
  });
  link = new HeldLink();
  server.attachLink(link);
});

afterEach(async () => {
  // Whatever happened: nothing is left, and the queue was never longer than its bound and one reply.
  expect(link.most).toBeLessThan(limits.sendBytes + payload.length + 100);
  link.destroy();
  await server.close();
  await turns();
  expect([server.runningCalls, server.connections, clock.pending]).toEqual([0, 0, 0]);
});

test("a reply that is ready while others are parked does not pass them", async () => {
  ask(...ids(1, 10));
  await turns(1);
  const sent = link.take();
  expect(idsOf(sent)).toEqual([1, 3, 5, 7]);
  // The queue is empty, but nobody has told those that wait.
  ask(...ids(21, 3));
  await turns(1);
  expect([link.queuedBytes, server.runningCalls]).toEqual([0, 9]);
  sent.push(...(await link.drain()), ...(await link.drainAll()));
  expect(idsOf(sent)).toEqual([...ids(1, 10), ...ids(21, 3)]);
  expect(sent.every(({ data }) => data.length > payload.length)).toBe(true);
});

test("replies that come all the time are each sent once, in the order in which they were ready", async () => {
  const sent: RawFrame[] = [];
  let next = 1;
  for (let round = 0; round < 30; round++) {
    ask(...ids(next, 5));
    next += 10;
    await turns(1);
    sent.push(...(round % 3 === 0 ? link.take() : await link.drain()));
  }
  sent.push(...(await link.drain()), ...(await link.drainAll()));
  expect(idsOf(sent)).toEqual(ids(1, 150));
});

test("a call whose deadline passes while its reply is parked is answered once, at once", async () => {
  ask(...ids(1, 5));
  link.receive(requestFrame(11, "Echo", { timeoutNano: 5_000_000n }));
  ask(13);
  await clock.elapse(1000);
  const sent = await link.drainAll();
  expect(idsOf(sent)).toEqual([1, 3, 5, 7, 11, 9, 13]);
  expect(say(sent[4] as RawFrame)).toBe("error 4 on 11: the deadline passed");
});

test("a connection that is closed lets all parked replies go", async () => {
  ask(...ids(1, 10));
  await turns(1);
  expect(server.runningCalls).toBe(6);
  link.take();
  link.destroy();
  expect(server.runningCalls).toBe(0);
  await turns();
  expect(link.queuedBytes).toBe(0);
});

test("streams and parked replies do not keep each other from being sent", async () => {
  link.receive(requestFrame(1, "Split", { flags: 1, payload: echo({}) }));
  await turns(1);
  ask(...ids(3, 30));
  await turns(1);
  await link.drain();
  // Each time the link has room while replies are parked.
  for (let round = 0; round < 5; round++) {
    const types = (await link.drain()).map(({ type }) => type);
    const [data, responses] = [rawType.data, rawType.response].map((wanted) => types.filter((type) => type === wanted));
    expect([data?.length, responses?.length]).toEqual([2, expect.toSatisfy((count: number) => count >= 2)]);
  }
  expect(server.runningCalls).toBeGreaterThan(5);
});
