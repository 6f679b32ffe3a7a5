import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { after } from "./after.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([0, 1, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, (2 ** 32 - 1) * 1000])("calls once after %i ms", (ms) => {
  const call = vi.fn();
  after(ms, call);
  if (ms > 0) {
    vi.advanceTimersByTime(ms - 1);
    expect(call).not.toHaveBeenCalled();
  }
  vi.advanceTimersByTime(1);
  expect(call).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("calls never once it is canceled", () => {
  const call = vi.fn();
  const cancel = after(2 ** 33, call);
  vi.advanceTimersByTime(2 ** 32);
  cancel();
  expect(vi.getTimerCount()).toBe(0);
});
