// The base of all handler contexts: what is made only when asked for, and the deadline.
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { Metadata } from "./metadata.js";
import { RpcError } from "./rpc-error.js";
import { ServerCall } from "./server-call.js";
import { Words } from "./words.test.support.js";

class TestCall extends ServerCall {
  time = 1000;
  reads = 0;

  constructor(deadlineAt: number) {
    super(Words.method.shout, "/t.Words/Shout", { kind: "test", address: "test:" }, deadlineAt);
  }

  end(reason: RpcError): void {
    this.abort(reason);
  }

  protected now(): number {
    return this.time;
  }

  protected readMetadata(): Metadata {
    this.reads++;
    return new Metadata({ a: "1" });
  }
}

describe("a server call", () => {
  test("tells how much time is left, and when it is up", () => {
    const call = new TestCall(1500);
    const before = Date.now();
    expect(call.timeRemainingMs()).toBe(500);
    expect(call.deadline?.getTime()).toBeGreaterThanOrEqual(before + 500);
    call.time = 1700;
    expect(call.timeRemainingMs()).toBe(0);
    // What is past stays in the past.
    expect(call.deadline?.getTime()).toBeLessThan(Date.now() - 100);
    const endless = new TestCall(Number.POSITIVE_INFINITY);
    expect([endless.deadline, endless.timeRemainingMs()]).toEqual([undefined, Number.POSITIVE_INFINITY]);
  });

  test("reads metadata once, and gives the same objects again", () => {
    const call = new TestCall(Number.POSITIVE_INFINITY);
    expect(call.reads).toBe(0);
    expect(call.metadata).toBe(call.metadata);
    expect(call.reads).toBe(1);
    expect(call.values).toBe(call.values);
    expect(call.responseHeader.append("a", "1")).toBe(call.responseHeader);
    expect(call.responseTrailer).toBe(call.responseTrailer);
    expect(call.responseTrailer).not.toBe(call.responseHeader);
  });

  test("its signal fires with the first reason, asked for before or after", () => {
    const [first, second] = ["first", "second"].map((text) => new RpcError(Code.Canceled, text)) as [
      RpcError,
      RpcError,
    ];
    const before = new TestCall(Number.POSITIVE_INFINITY);
    const { signal } = before;
    expect(signal.aborted).toBe(false);
    before.end(first);
    before.end(second);
    expect(signal.reason).toBe(first);
    expect(before.signal).toBe(signal);
    const after = new TestCall(Number.POSITIVE_INFINITY);
    after.end(first);
    expect(after.signal.reason).toBe(first);
  });
});
