// What a soak lets pass and what not: errors without an excuse, calls that are late, heaps that grow.
import { Code, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { difference, growth } from "./footprint.js";
import { type CallTerms, judge } from "./judge.js";
import { LoopStall } from "./loop-stall.js";
import { profiles } from "./profiles.js";

const never = (): number => 0;

function terms(road: string, changes: Partial<CallTerms> = {}): CallTerms {
  const profile = profiles.find(({ name }) => name === road);
  if (profile === undefined) throw new Error(`there is no road ${road}`);
  return { name: "echo", profile, startedAt: 1000, timeoutMs: 20_000, pausesMs: 0, abortedAt: undefined, ...changes };
}

const lost = new RpcError(Code.Unavailable, "x", { reason: "connection_closed" });
const late = new RpcError(Code.DeadlineExceeded, "x", { reason: "deadline" });
const canceled = new RpcError(Code.Canceled, "x", { reason: "canceled" });
const overflow = new RpcError(Code.ResourceExhausted, "x", { reason: "overflow" });
const broken = new RpcError(Code.Internal, "x", { reason: "protocol" });

describe("errors", () => {
  test.each<[name: string, call: CallTerms, error: RpcError, now: number, right: boolean]>([
    ["a lost connection where there are cuts", terms("cuts"), lost, 1500, true],
    ["a lost connection where there are none", terms("stalls"), lost, 1500, false],
    ["a lost connection without a proxy", terms("direct"), lost, 1500, false],
    ["a deadline that has passed", terms("direct", { timeoutMs: 100 }), late, 1101, true],
    ["a deadline before its time", terms("direct", { timeoutMs: 100 }), late, 1050, false],
    ["a long deadline where nothing stalls", terms("calm"), late, 21_001, false],
    ["a long deadline where connections stall", terms("stalls"), late, 21_001, true],
    ["a cancellation that was asked for", terms("direct", { abortedAt: 1010 }), canceled, 1020, true],
    ["a cancellation that nobody asked for", terms("all"), canceled, 1020, false],
    ["a slow reader's overflow", terms("direct", { pausesMs: 30 }), overflow, 1500, true],
    ["an overflow of others", terms("direct"), overflow, 1500, false],
    ["bytes that cannot be read, on the worst of roads", terms("all"), broken, 1500, false],
  ])("%s", (_, call, error, now, right) => {
    expect(judge(call, error, now, never) === undefined).toBe(right);
  });

  test("that are none of RPC are never right, results always", () => {
    expect(judge(terms("all"), new Error("wrong payload"), 1500, never)).toContain("wrong payload");
    expect(judge(terms("direct"), undefined, 1500, never)).toBeUndefined();
  });
});

test("a call may be 50 ms late, and as much more as the loop stood still", () => {
  const call = terms("direct", { timeoutMs: 100 });
  expect(judge(call, late, 1150, never)).toBeUndefined();
  expect(judge(call, late, 1151, never)).toBe("ended 51 ms late, of which the loop explains 0 ms");
  expect(judge(call, late, 1300, (since) => (since === 1100 ? 150 : 0))).toBeUndefined();
  // A slow reader may take the rest of what had come in time; an error it hears at its next look.
  const slow = terms("direct", { timeoutMs: 100, pausesMs: 30 });
  expect(judge(slow, undefined, 1500, never)).toBeUndefined();
  expect(judge(slow, late, 1181, never)).toContain("51 ms late");
  expect(judge(terms("direct", { abortedAt: 1500 }), canceled, 1551, never)).toContain("51 ms late");
  expect(judge(terms("direct", { timeoutMs: Number.POSITIVE_INFINITY }), undefined, 31_051, never)).toContain("late");
});

test("a loop that stands still is noticed, also before it goes on", () => {
  const stall = new LoopStall();
  stall.start();
  const before = performance.now();
  while (performance.now() < before + 60);
  const held = stall.since(before);
  stall.stop();
  expect(held).toBeGreaterThan(50);
  expect(held).toBeLessThanOrEqual(performance.now() - before);
});

test("growth is the straight line's, and noise around a level is none", () => {
  expect(growth([10, 20, 30, 40])).toBeCloseTo(30);
  expect(growth([10, 12, 10, 12, 10])).toBeCloseTo(0);
  expect(growth([5])).toBe(0);
});

test("what is more than before is named, what is less is not", () => {
  const before = { heapBytes: 1, fds: 20, resources: { PipeWrap: 2, TTYWrap: 1 } };
  const after = { heapBytes: 1, fds: 23, resources: { PipeWrap: 3, TCPSocketWrap: 2 } };
  const told = ["3 descriptors more than before", "1 PipeWrap more than before", "2 TCPSocketWrap more than before"];
  expect(difference(before, after)).toEqual(told);
  expect(difference(after, before)).toEqual(["1 TTYWrap more than before"]);
});
