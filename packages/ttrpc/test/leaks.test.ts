// What is left of calls that have ended: nothing.
import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Code, createClient, createPushStream } from "@guestwire/rpc";
import {
  decodeFrames,
  EchoService,
  echoHandlers,
  encodeFrames,
  FakeClock,
  rawFrame,
  tempFolder,
  turns,
  watchHandles,
} from "@guestwire/testkit";
import { afterEach, expect, test } from "vitest";
import { connect } from "../src/channel.js";
import { UnaryClientCall } from "../src/client-call.js";
import { ClientSession } from "../src/client-session.js";
import { DeadlineWheel } from "../src/deadline-wheel.js";
import { connectInProcess } from "../src/in-process.js";
import { defaultLimits } from "../src/limits.js";
import { linkPair } from "../src/memory-link.js";
import { prepareMethod } from "../src/prepared-method.js";
import { serve, TtrpcServer } from "../src/server.js";
import { failure } from "./support/calling.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const warnings: Error[] = [];
const note = (warning: Error): void => void warnings.push(warning);
process.on("warning", note);

afterEach(() => {
  expect(warnings.splice(0)).toEqual([]);
});

test("10,000 calls with one long-lived signal leave no listeners, no timers and no warning", async () => {
  const clock = new FakeClock();
  const server = new TtrpcServer({}, clock).service(EchoService, echoHandlers);
  const channel = connectInProcess(server, { limits: { connectionCalls: 64 } });
  const client = createClient(EchoService, channel);
  const { signal } = new AbortController();
  const options = { signal, timeoutMs: 60_000 };
  for (let round = 0; round < 20; round++) {
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 125; i++) {
      calls.push(client.echo({ text: "a" }, options));
      calls.push(failure(client.fail({ code: 5 }, options)));
      calls.push(Array.fromAsync(client.split({ count: 2 }, options)));
      calls.push(client.join([{ text: "x" }], options));
    }
    // One for all of them: Node searches all listeners of a signal whenever one comes or goes.
    expect(getEventListeners(signal, "abort").length).toBe(1);
    await Promise.all(calls);
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(server.runningCalls).toBe(0);
  // The wheel's own timer is the last thing; it stops by itself.
  await clock.elapse(5000);
  expect(clock.pending).toBe(0);
  await channel.close();
  await server.close();
  await turns();
  expect(server.connections).toBe(0);
});

test.each(["deadline", "cancel", "break", "error", "lost"] as const)(
  "calls that end by %s leave nothing",
  async (how) => {
    const clock = new FakeClock();
    const server = new TtrpcServer({}, clock).service(EchoService, echoHandlers);
    const channel = connectInProcess(server, { backoff: { initialMs: 1, maxMs: 1 } });
    const client = createClient(EchoService, channel);
    for (let i = 0; i < 50; i++) {
      const control = new AbortController();
      const options = { signal: control.signal, timeoutMs: 1000 };
      const pushed = createPushStream<{ text: string }>();
      const chat = client.chat(pushed, options);
      const calls = [client.hang({}, options), client.join(createPushStream(), options)].map(failure);
      void pushed.push({ text: "a" });
      await clock.elapse(2);
      expect((await chat.next()).value?.text).toBe("a");
      const reading = how === "break" ? chat.return?.() : chat.next().catch((error) => error);
      if (how === "deadline") await clock.elapse(1008);
      if (how === "cancel" || how === "break") control.abort();
      if (how === "error") void pushed.fail(new Error("mine"));
      if (how === "lost") await cut(server, clock);
      if (how === "error") control.abort();
      await Promise.all([...calls, reading]);
      await turns(5);
      expect(getEventListeners(control.signal, "abort")).toEqual([]);
      if (how === "lost") break;
    }
    // A unary call's end is not told to the server, whose handler ends with the deadline it was given.
    await clock.elapse(1100);
    expect(server.runningCalls).toBe(0);
    await channel.close();
    const closed = server.close();
    await clock.elapse(10_000);
    await closed;
    expect([server.connections, clock.pending]).toEqual([0, 0]);
  },
);

async function cut(server: TtrpcServer, clock: FakeClock): Promise<void> {
  const closing = server.close({ graceMs: 1 });
  await clock.elapse(1);
  await closing;
}

test("a session's tables are empty when its calls have ended", async () => {
  const clock = new FakeClock();
  const wheel = new DeadlineWheel(clock);
  const [ours, theirs] = linkPair(clock, { kind: "pair", address: "pair:" });
  let ready = 0;
  const session = new ClientSession(ours, clock, wheel, defaultLimits, { ready: () => void ready++, closed: () => {} });
  session.start();
  theirs.start({
    // Every call gets an error, whatever it is.
    received: (chunk) => {
      for (const { id } of decodeFrames(chunk).frames) theirs.write(encodeFrames([rawFrame(id, 2, 0, "0a020805")]));
    },
    drained: () => {},
    closed: () => {},
  });
  const method = prepareMethod(EchoService.method.echo);
  const errors: number[] = [];
  for (let i = 0; i < 100; i++) {
    const call = new UnaryClientCall(
      method,
      "pair:",
      {},
      () => {},
      ({ code }) => void errors.push(code),
    );
    call.setDeadline(clock.now(), 60_000, wheel);
    session.send(call);
  }
  expect([session.calls, wheel.size]).toEqual([100, 100]);
  await turns();
  expect([session.calls, wheel.size, session.lateFrames]).toEqual([0, 0, 0]);
  expect(errors).toEqual(Array(100).fill(Code.NotFound));
  expect(ready).toBeGreaterThanOrEqual(100);
  session.drain();
  await turns();
  await session.gone;
  wheel.settle();
  expect(clock.pending).toBe(0);
});

test("channels and servers that come and go leave no sockets", async () => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  for (let i = 0; i < 20; i++) {
    const server = serve().service(EchoService, echoHandlers);
    const address = await server.listen(`unix:${folder.file("a.sock")}`);
    const channels = Array.from({ length: 5 }, () => connect(address));
    await Promise.all(channels.map((channel) => createClient(EchoService, channel).echo({})));
    if (i % 2 === 0) await Promise.all(channels.map((channel) => channel.close()));
    await server.close({ graceMs: 10 });
    await Promise.all(channels.map((channel) => channel.close()));
    expect(server.connections).toBe(0);
  }
  await allClosed();
});

test("calls on a connection that stays do not keep what they sent or got", async () => {
  const server = serve().service(EchoService, echoHandlers);
  const channel = connectInProcess(server);
  const client = createClient(EchoService, channel);
  const gone: WeakRef<object>[] = [];
  for (let i = 0; i < 200; i++) {
    const payload = Buffer.alloc(20_000);
    gone.push(new WeakRef(payload), new WeakRef(await client.echo({ payload })));
  }
  for (let i = 0; i < 5; i++) {
    await turns(2);
    collectGarbage();
  }
  // Whatever the last call left on the stack.
  expect(gone.filter((ref) => ref.deref() !== undefined).length).toBeLessThanOrEqual(4);
  await channel.close();
  await server.close();
});
