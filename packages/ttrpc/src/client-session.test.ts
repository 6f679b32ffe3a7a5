// The bounds of one client connection, and its end.
import { Code, type RpcError } from "@guestwire/rpc";
import { EchoService, encodeFrames, FakeClock, rawFrame, rawType, turns } from "@guestwire/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { echo, requestFrame } from "../test/support/wire.js";
import { UnaryClientCall } from "./client-call.js";
import { ClientSession } from "./client-session.js";
import { StreamClientCall } from "./client-stream-call.js";
import { DeadlineWheel } from "./deadline-wheel.js";
import { type Limits, resolveLimits } from "./limits.js";
import type { Link } from "./link.js";
import { linkPair } from "./memory-link.js";
import { prepareMethod } from "./prepared-method.js";

const clock = new FakeClock();
/** What an empty request takes on the wire. */
const size = 10 + requestFrame(1, "Echo").data.length;

let session: ClientSession;
let ours: Link;
let errors: RpcError[];
let closed: (Error | undefined)[];

function open(limits: Partial<Limits> = {}, firstId?: number): void {
  [ours] = linkPair(clock, { kind: "pair", address: "pair:" });
  const handler = { ready: () => {}, closed: (error: Error | undefined) => void closed.push(error) };
  session = new ClientSession(
    ours,
    clock,
    new DeadlineWheel(clock),
    resolveLimits(limits),
    handler,
    firstId === undefined ? {} : { firstId },
  );
  session.start();
}

function send(): void {
  const reject = (error: RpcError): void => void errors.push(error);
  session.send(new UnaryClientCall(prepareMethod(EchoService.method.echo), "pair:", {}, () => {}, reject));
}

beforeEach(() => {
  errors = [];
  closed = [];
});

afterEach(async () => {
  session.close(Code.Canceled, "the test is over");
  ours.destroy();
  await turns();
  await session.gone;
  expect([session.calls, clock.pending]).toEqual([0, 0]);
});

describe("a session", () => {
  test.each([
    ["bound - 1", 2, true],
    ["bound", 3, false],
  ])("can send until connectionCalls are under way: %s", (_, calls, can) => {
    open({ connectionCalls: 3 });
    for (let i = 0; i < calls; i++) send();
    expect([session.calls, session.canSend, session.exhausted]).toEqual([calls, can, false]);
  });

  test.each([
    ["bound - 1", 1, true],
    ["bound", 0, false],
    ["bound + 1", -1, false],
  ])("can send while less than sendBytes wait: %s", (_, more, can) => {
    open({ sendBytes: size + more });
    send();
    expect(session.canSend).toBe(can);
  });

  test.each([
    ["bound - 1", 1, true],
    ["bound", 0, true],
    ["bound + 1", -1, false],
  ])("takes more of a stream while no more than streamSendBytes wait: %s", async (_, more, can) => {
    open({ streamSendBytes: size + more });
    send();
    const wait = session.writable();
    expect(wait === undefined).toBe(can);
    session.close(Code.Canceled, "over");
    await wait;
  });

  test.each([
    ["bound - 1", 1, 0],
    ["bound", 0, 0],
    ["bound + 1", -1, 1],
  ])("ends when more than sendLimitBytes wait: %s", (_, more, ended) => {
    open({ sendLimitBytes: size + more });
    send();
    expect([closed.length, errors.length]).toEqual([ended, ended]);
    if (ended > 0) expect(errors[0]).toMatchObject({ code: Code.Unavailable, reason: "overflow" });
  });

  test("is exhausted after the last id, and not before", () => {
    open({}, 0xffff_fffd);
    send();
    expect([session.exhausted, session.canSend]).toEqual([false, true]);
    send();
    expect([session.exhausted, session.canSend]).toEqual([true, true]);
  });

  test("counts responses that come while the request is still being written", async () => {
    let paused = 0;
    const answers = [1, 2, 3].flatMap(() => rawFrame(1, rawType.data, 0, echo({ text: "at once" })));
    const deliver = (): void => session.received(encodeFrames(answers));
    open({ streamMessages: 2 });
    ours = Object.assign(ours, { writeAll: deliver, pause: () => void paused++ });
    // Large enough to be written before `send` returns.
    session.send(
      new StreamClientCall(prepareMethod(EchoService.method.split), "pair:", { payload: Buffer.alloc(70_000) }),
    );
    expect(paused).toBe(1);
    session.close(Code.Canceled, "over");
    await clock.elapse(10_000);
  });

  test("that drains ends with its last call, and at once when it has none", async () => {
    open();
    send();
    session.drain();
    expect([session.exhausted, closed]).toEqual([true, []]);
    session.close(Code.Canceled, "over");
    expect(errors).toMatchObject([{ code: Code.Canceled, rawMessage: "over", reason: "canceled" }]);
    await turns();
    open();
    session.drain();
    expect(closed).toEqual([undefined, undefined]);
  });
});
