// Waiting for a server: what counts as an answer, at which times it is asked, and that nothing of it stays.
import { getEventListeners } from "node:events";
import type { Duplex } from "node:stream";
import { Code, RpcError } from "@guestwire/rpc";
import type { DialAttempt } from "@guestwire/rpc/transport";
import { FakeClock, type RawPart, type RawPeer, rawFrame, rawPair, turns } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TtrpcServer } from "./server.js";
import { kataReady, probe, spinboxReady, type WaitReadyOptions, waitReady } from "./wait-ready.js";

// What a Go server answers: status 3 with a text. The text is of no matter.
const answer = rawFrame(0, 2, 0, "0a020803");
const refused = () => Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
const never = () => new Promise<never>(() => {});

let clock: FakeClock;
let peers: RawPeer[];

beforeEach(() => {
  clock = new FakeClock(0);
  peers = [];
});

afterEach(async () => {
  // Every connection was closed by who opened it.
  for (const peer of peers) await peer.closed;
  await turns();
  expect(clock.pending).toBe(0);
});

/** What happens to a connection: what is thrown, or what the peer does. */
type Step = Error | ((peer: RawPeer) => unknown);

/** Opens connections by a script, whose last step is repeated. */
function script(...steps: [Step, ...Step[]]): () => Duplex {
  let made = 0;
  return () => {
    const step = steps[Math.min(made++, steps.length - 1)] as Step;
    if (step instanceof Error) throw step;
    const { peer, stream } = rawPair();
    peers.push(peer);
    void step(peer);
    return stream;
  };
}

const send =
  (...parts: RawPart[]): Step =>
  async (peer) => {
    expect((await peer.next()).id).toBe(0);
    expect(peer.receivedBytes).toBe(10);
    peer.send(...parts);
  };
const answers = send(answer);
const silence: Step = () => {};
const hangsUp: Step = (peer) => peer.destroy();

function start(target: () => Duplex | Promise<Duplex>, options: WaitReadyOptions = {}) {
  const told: DialAttempt[] = [];
  const ready = waitReady(target, { clock, onAttempt: (attempt) => told.push(attempt), ...options });
  return { ready, told, error: failure(ready) };
}

function failure(promise: Promise<unknown>): Promise<RpcError> {
  return promise.then(() => new RpcError(Code.Unknown, "it did not fail"), RpcError.from);
}

const texts = (told: readonly DialAttempt[]) => told.map(({ error }) => (error as Error | undefined)?.message);
const starts = (told: readonly DialAttempt[]) => [0, ...told.map(({ elapsedMs, nextMs }) => elapsedMs + nextMs)];

describe("a server is ready", () => {
  test("when two connections in a row are answered, 5 ms apart", async () => {
    const { ready, told } = start(script(answers));
    await clock.elapse(5);
    expect(await ready).toEqual({ elapsedMs: 5, attempts: 2 });
    expect(told).toEqual([{ attempt: 1, error: undefined, elapsedMs: 0, nextMs: 5 }]);
    expect(peers).toHaveLength(2);
  });

  test("not by an answer and one more after a failure", async () => {
    const { ready, told } = start(script(answers, hangsUp, answers));
    await clock.elapse(15);
    expect(await ready).toEqual({ elapsedMs: 15, attempts: 4 });
    expect(texts(told)).toEqual([undefined, "it closed the connection without an answer", undefined]);
  });

  test.each([1, 3])("after %i answers where so many are asked for", async (probes) => {
    const { ready } = start(script(answers), { probes });
    await clock.elapse(100);
    expect(await ready).toEqual({ elapsedMs: (probes - 1) * 5, attempts: probes });
  });

  test("when it answers in single bytes", async () => {
    const bytes = Buffer.from("000000040000000002000a020803", "hex");
    const { ready } = start(
      script(async (peer) => {
        await peer.next();
        for (const byte of bytes) {
          peer.send(Buffer.of(byte));
          await turns(1);
        }
      }),
    );
    await clock.elapse(5);
    expect((await ready).attempts).toBe(2);
  });

  test("when it is ours, whatever it serves", async () => {
    const server = new TtrpcServer({}, clock);
    const target = () => {
      const { peer, stream } = rawPair();
      server.attach(peer.stream);
      return stream;
    };
    const { ready } = start(target);
    await clock.elapse(5);
    expect(await ready).toEqual({ elapsedMs: 5, attempts: 2 });
    await turns();
    expect([server.connections, server.runningCalls]).toEqual([0, 0]);
    await server.close();
  });

  test("only when the whole body was read: of at most 4 MiB, and not after one byte less", async () => {
    const body = Buffer.alloc(4 << 20);
    const parts = (length: number) => [Buffer.from("00400000000000000200", "hex"), body.subarray(0, length)];
    const { ready, told } = start(script(send(...parts(body.length - 1)), send(...parts(body.length))), { probes: 1 });
    await clock.elapse(55);
    expect(await ready).toEqual({ elapsedMs: 55, attempts: 2 });
    expect(texts(told)).toEqual(["no answer within 50 ms"]);
  });

  test("for kata, when a connection opens: nothing is sent", async () => {
    const { ready, told } = start(script(refused(), refused(), silence), { timings: kataReady });
    await clock.elapse(75);
    expect(await ready).toEqual({ elapsedMs: 75, attempts: 3 });
    expect(starts(told)).toEqual([0, 25, 75]);
    expect(peers.map(({ receivedBytes }) => receivedBytes)).toEqual([0]);
  });
});

describe("it is asked again", () => {
  test("5, 10, 20, 20 … ms after a refused connection, for 10 s", async () => {
    const { error, told } = start(script(refused()));
    await clock.elapse(10_000);
    expect(starts(told).slice(0, 7)).toEqual([0, 5, 15, 35, 55, 75, 95]);
    expect(await error).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: "deadline",
      rawMessage: "duplex: is not ready: connect ECONNREFUSED (502 attempts in 9995 ms)",
      cause: { code: "ECONNREFUSED" },
    });
  });

  test("after 50 ms without an answer, and 10 ms more each time", async () => {
    const { error, told } = start(script(silence), { timeoutMs: 330 });
    await clock.elapse(330);
    expect(starts(told)).toEqual([0, 55, 125, 215, 315]);
    expect(texts(told)).toEqual([50, 60, 70, 80].map((ms) => `no answer within ${ms} ms`));
    expect((await error).rawMessage).toBe("duplex: is not ready: no answer within 80 ms (5 attempts in 330 ms)");
  });

  test("not later for the refusals that came before: those were no probes", async () => {
    const { told, error } = start(script(refused(), refused(), silence), { timeoutMs: 100 });
    await clock.elapse(100);
    expect(texts(told)).toContain("no answer within 50 ms");
    await error;
  });

  test("when a connection hangs: after 100 ms, then 200, and never more than 2 s", async () => {
    const { error, told } = start(never, { timeoutMs: 8000 });
    await clock.elapse(8000);
    expect(texts(told)).toEqual([100, 200, 400, 800, 1600, 2000, 2000].map((ms) => `no connection within ${ms} ms`));
    expect((await error).code).toBe(Code.DeadlineExceeded);
  });

  test("when it hangs up, in the middle of its answer too", async () => {
    const cut: Step = async (peer) => {
      await peer.next();
      peer.send("00000004000000000200", "0a02");
      peer.end();
    };
    const short: Step = async (peer) => {
      await peer.next();
      peer.send("000000");
      peer.end();
    };
    const { ready, told } = start(script(hangsUp, cut, short, answers));
    await clock.elapse(100);
    expect((await ready).attempts).toBe(5);
    expect(texts(told)).toEqual([
      "it closed the connection without an answer",
      "it closed the connection after 12 bytes of its answer",
      "it closed the connection after 3 bytes of its answer",
      undefined,
    ]);
  });
});

describe("it is no ttrpc server, and not asked again, when it answers", () => {
  test.each<[what: string, part: RawPart]>([
    ["a text", Buffer.from("HTTP/1.1 400 Bad Request\r\n")],
    // A settings frame; as a ttrpc header it announces 1,540 bytes, which never come.
    ["as HTTP/2 does", "000006040000000000000100001000"],
    ["on another stream", rawFrame(1, 2, 0, "0a020803")],
    ["with a request", rawFrame(0, 1, 0, "0a020803")],
    ["with data", rawFrame(0, 3, 0, "0a020803")],
    ["without a body", rawFrame(0, 2, 0)],
    ["with more than 4 MiB", "00400001000000000200"],
  ])("%s", async (_, part) => {
    const { error, told } = start(script(send(part)));
    await turns();
    expect(await error).toMatchObject({ code: Code.Internal, reason: "protocol" });
    expect((await error).rawMessage).toMatch(
      /^duplex: is not ready: it answers, but is no ttrpc server: its first bytes are [0-9a-f]{20}.*\(1 attempt in 0 ms\)$/,
    );
    expect(told).toEqual([]);
  });

  test("text, which is shown", async () => {
    const { error } = start(script(send(Buffer.from("SSH-2.0-OpenSSH\r\n"))));
    await turns();
    expect((await error).rawMessage).toContain('5353482d322e302d4f70 ("SSH-2.0-Op"), no response on stream 0');
  });
});

describe("waiting ends", () => {
  test("at once with a failure that does not pass", async () => {
    const { error } = start(script(Object.assign(new Error("connect EACCES"), { code: "EACCES" })));
    expect(await error).toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: "duplex: is not ready: connect EACCES (1 attempt in 0 ms)",
    });
  });

  test.each<[when: string, target: () => Duplex | Promise<Duplex>]>([
    ["while it connects", never],
    ["while an answer is awaited", script(silence)],
    ["during a pause", script(refused())],
  ])("at once with the signal, %s", async (_, target) => {
    const stop = new AbortController();
    const { error } = start(target, { signal: stop.signal });
    await clock.elapse(3);
    expect(clock.pending).toBeGreaterThan(0);
    const reason = new Error("enough");
    stop.abort(reason);
    expect(await error).toMatchObject({ code: Code.Canceled, reason: "canceled", cause: reason });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  test("a connection that comes after its time is closed", async () => {
    const late = Promise.withResolvers<Duplex>();
    const { error } = start(() => late.promise, { timeoutMs: 50 });
    await clock.elapse(50);
    expect((await error).rawMessage).toBe("duplex: is not ready: no connection within 50 ms (1 attempt in 50 ms)");
    late.resolve(script(silence)());
    await turns();
    expect(peers.map(({ isClosed }) => isClosed)).toEqual([true]);
  });

  test("before it begins where target or options are wrong", async () => {
    const code = Code.InvalidArgument;
    const { stream } = rawPair();
    await expect(waitReady(stream as never)).rejects.toMatchObject({ code });
    await expect(waitReady("fd://3")).rejects.toMatchObject({ code });
    await expect(waitReady("unix:a")).rejects.toMatchObject({ code });
    await expect(waitReady("unix:/a", { probes: -1 })).rejects.toMatchObject({ code });
    await expect(waitReady("unix:/a", { probes: 1.5 })).rejects.toMatchObject({ code });
    await expect(waitReady("unix:/a", { timeoutMs: -1 })).rejects.toMatchObject({ code });
    for (const wrong of [{ answerMs: 0 }, { answerStepMs: -1 }, { attempt: { initialMs: 0, maxMs: 1 } }]) {
      const timings = { ...spinboxReady, ...wrong };
      await expect(waitReady("unix:/a", { timings })).rejects.toMatchObject({ code });
    }
    const none = { code, rawMessage: expect.stringContaining("has no option") };
    await expect(waitReady("unix:/a", { timeout: 5 } as never)).rejects.toMatchObject(none);
    await expect(probe("unix:/a", { timeoutMs: 5 } as never)).rejects.toMatchObject(none);
    await expect(probe("unix:/a", { answerTimeoutMs: 0 })).rejects.toMatchObject({ code });
  });
});

test.each<[option: string, given: unknown]>([
  ["timings", "kata"],
  ["timings.attempt", { ...spinboxReady, attempt: 5 }],
  ["timings.pause.initialMs", { ...spinboxReady, pause: { initialMs: 0, maxMs: 5 } }],
  ["timings.probes", { ...spinboxReady, probes: -1 }],
  ["timings.answerMs", { ...spinboxReady, answerMs: "5" }],
])("wrong timings are refused by the name of what is wrong: %s", async (option, timings) => {
  const { code, rawMessage } = await failure(waitReady("unix:/a", { timings: timings as never }));
  expect(code).toBe(Code.InvalidArgument);
  expect(rawMessage.slice(0, option.length + 9)).toBe(`${option} must be `);
});

describe("a probe", () => {
  test("is one connection with one answer", async () => {
    expect(await probe(script(answers), { clock })).toEqual({ elapsedMs: 0, attempts: 1 });
    expect(peers).toHaveLength(1);
  });

  test.each<[what: string, target: () => Duplex | Promise<Duplex>, ms: number, text: string]>([
    ["refused", script(refused()), 0, "connect ECONNREFUSED"],
    ["hung up on", script(hangsUp), 0, "it closed the connection without an answer"],
    ["not answered in 200 ms", script(silence), 200, "no answer within 200 ms"],
    ["not connected in 2 s", never, 2000, "no connection within 2000 ms"],
  ])("that is %s fails", async (_, target, ms, text) => {
    const error = failure(probe(target, { clock }));
    await clock.elapse(ms);
    expect(await error).toMatchObject({
      code: Code.Unavailable,
      reason: "connect_failed",
      rawMessage: `duplex: does not answer: ${text} (1 attempt in ${ms} ms)`,
    });
  });

  test("ends with its signal", async () => {
    const stop = new AbortController();
    const error = failure(probe(never, { clock, signal: stop.signal }));
    await turns();
    stop.abort();
    expect((await error).code).toBe(Code.Canceled);
  });
});
