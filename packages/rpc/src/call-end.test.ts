// The end of a call: comes once, from whatever is first, and leaves nothing behind.
import { getEventListeners } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CallEnd, checkTimeout } from "./call-end.js";
import { Code } from "./code.js";
import { RpcError } from "./rpc-error.js";
import { failure } from "./words.test.support.js";

afterEach(() => void vi.useRealTimers());

const make = (timeoutMs?: number, signals: AbortSignal[] = []): CallEnd =>
  new CallEnd("/t.Words/Shout", "test:", timeoutMs, signals);
const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

describe("the deadline", () => {
  test("comes when the time is up, not before", () => {
    vi.useFakeTimers();
    const end = make(100);
    expect(end.timeRemainingMs()).toBe(100);
    vi.advanceTimersByTime(99);
    expect([end.settled, end.timeRemainingMs()]).toEqual([false, 1]);
    vi.advanceTimersByTime(1);
    expect(end.error).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: "the deadline passed",
      reason: "deadline",
      method: "/t.Words/Shout",
      peer: "test:",
    });
    vi.advanceTimersByTime(5);
    expect(end.timeRemainingMs()).toBe(0);
  });

  test("is the end also where the layer above was first to tell of the same deadline", () => {
    vi.useFakeTimers();
    const above = new RpcError(Code.DeadlineExceeded, "the deadline passed", { reason: "deadline" });
    const [same, later, none] = [100, 1000, undefined].map((timeoutMs) => {
      const control = new AbortController();
      return { end: make(timeoutMs, [control.signal]), control };
    });
    vi.advanceTimersByTime(99);
    for (const { control } of [same, later, none] as { control: AbortController }[]) control.abort(above);
    expect(same?.end.error).toMatchObject({ code: Code.DeadlineExceeded, reason: "deadline" });
    expect(later?.end.error).toMatchObject({ code: Code.Canceled, cause: above });
    expect(none?.end.error).toMatchObject({ code: Code.Canceled, cause: above });
  });

  test("may be further away than a timer reaches", () => {
    vi.useFakeTimers();
    const day = 24 * 3600 * 1000;
    const end = make(60 * day);
    vi.advanceTimersByTime(60 * day - 1);
    expect(end.settled).toBe(false);
    vi.advanceTimersByTime(1);
    expect(end.error?.code).toBe(Code.DeadlineExceeded);
  });

  test("leaves no timer once the call is over, and makes none where there is no limit", () => {
    vi.useFakeTimers();
    make();
    make(0);
    make(Number.POSITIVE_INFINITY);
    expect(vi.getTimerCount()).toBe(0);
    const end = make(100);
    expect(vi.getTimerCount()).toBe(1);
    end.settle();
    expect(vi.getTimerCount()).toBe(0);
    make(100, [AbortSignal.abort()]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    [-1, "-1"],
    [Number.NaN, "NaN"],
    ["5", '"5"'],
    [null, "null"],
    [{}, "an object of Object"],
    [Symbol("s"), "Symbol(s)"],
  ])("a timeout of %s is refused", (timeoutMs, shown) => {
    expect(() => checkTimeout(timeoutMs as number)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
    expect(() => make(timeoutMs as number)).toThrow(
      `timeoutMs must be a number of milliseconds from 0 on, not ${shown}`,
    );
  });
});

describe("signals", () => {
  test.each([
    [new AbortController(), "an object of AbortController; pass its .signal"],
    ["stop", '"stop"'],
    [null, "null"],
    [{ aborted: false }, "an object of Object"],
  ])("what is none is refused: %s", (signal, shown) => {
    expect(() => make(100, [signal as unknown as AbortSignal])).toThrow(`signal must be an AbortSignal, not ${shown}`);
  });

  test.each([0, 1])("any of several ends the call (%s)", (at) => {
    const controls = [new AbortController(), new AbortController()];
    const signals = controls.map(({ signal }) => signal);
    const end = make(undefined, signals);
    const reason = new Error("why");
    controls[at]?.abort(reason);
    expect(end.error).toMatchObject({ code: Code.Canceled, reason: "canceled", cause: reason });
    expect(end.error?.rawMessage).toBe("the call was canceled: why");
    expect(signals.map(listeners)).toEqual([0, 0]);
  });

  test("one that has fired already ends it at once, and no listener is added to the others", () => {
    const control = new AbortController();
    const end = make(5, [control.signal, AbortSignal.abort("text")]);
    expect(end.error?.rawMessage).toBe("the call was canceled: text");
    expect(end.error?.cause).toBe("text");
    expect(listeners(control.signal)).toBe(0);
  });

  test("a reason without a text gives a message without one", () => {
    expect(make(undefined, [AbortSignal.abort({ odd: true })]).error?.rawMessage).toBe("the call was canceled");
    expect(make(undefined, [AbortSignal.abort(new Error(""))]).error?.rawMessage).toBe("the call was canceled");
  });
});

describe("its own signal", () => {
  test("fires with the error, whether it was asked for before or after", () => {
    const before = make();
    const { signal } = before;
    expect(before.signal).toBe(signal);
    before.leave();
    expect(signal.reason).toBe(before.error);
    const after = make();
    after.leave();
    expect(after.signal.aborted).toBe(true);
    expect(after.signal.reason).toBe(after.error);
    expect(after.error).toMatchObject({ code: Code.Canceled, rawMessage: "the caller stopped reading" });
  });

  test("stays quiet when the call comes to an end of its own", () => {
    const end = make();
    const { signal } = end;
    end.settle();
    end.fail(Code.Internal, "too late", undefined);
    expect([signal.aborted, end.error]).toEqual([false, undefined]);
  });
});

describe("listeners", () => {
  test("hear of the end once, those who come later at once", () => {
    const end = make();
    const heard: unknown[] = [];
    end.whenOver((error) => heard.push(error));
    end.fail(Code.Internal, "x", "protocol", "cause");
    end.fail(Code.Aborted, "y", undefined);
    end.settle();
    end.whenOver((error) => heard.push(error));
    expect(heard).toEqual([end.error, end.error]);
    expect(end.error).toMatchObject({ code: Code.Internal, reason: "protocol", cause: "cause" });
  });
});

describe("race", () => {
  test("gives what the step gives, or throws what it throws", async () => {
    const end = make();
    expect(await end.race(async () => 7)).toBe(7);
    const thrown = new Error("x");
    expect(await failure(end.race(() => Promise.reject(thrown)))).toBe(thrown);
    expect(
      await failure(
        end.race(() => {
          throw thrown;
        }),
      ),
    ).toBe(thrown);
  });

  test("throws why the call ended while the step waits, and begins no step after that", async () => {
    const end = make();
    const waiting = failure(end.race(() => new Promise(() => {})));
    end.leave();
    expect(await waiting).toBe(end.error);
    let begun = false;
    const late = end.race(async () => {
      begun = true;
    });
    expect(await failure(late)).toBe(end.error);
    expect(begun).toBe(false);
  });

  test("a step that fails after the end is nobody's unhandled rejection", async () => {
    const end = make();
    const step = Promise.withResolvers<never>();
    const waiting = failure(end.race(() => step.promise));
    end.settle();
    expect(await waiting).toMatchObject({ code: Code.Canceled, rawMessage: "the call is over" });
    step.reject(new Error("late"));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
