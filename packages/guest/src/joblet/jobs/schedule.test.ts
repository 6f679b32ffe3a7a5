import { Code, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { readSchedule, whenDue } from "./schedule.js";

const now = Date.UTC(2026, 0, 15, 10, 0, 0);
const read = (text: string): string => new Date(readSchedule("schedule", text, now)).toISOString();

describe("RFC 3339 and near forms are read", () => {
  const cases: [string, string][] = [
    ["2026-01-15T10:30:00Z", "2026-01-15T10:30:00.000Z"],
    ["2026-01-15t10:30:00z", "2026-01-15T10:30:00.000Z"],
    ["2026-01-15T10:30:00.123456789Z", "2026-01-15T10:30:00.123Z"],
    ["2026-01-15T12:30:00+02:00", "2026-01-15T10:30:00.000Z"],
    ["2026-01-15T05:00:00-0530", "2026-01-15T10:30:00.000Z"],
    ["2026-01-15 10:30:00", "2026-01-15T10:30:00.000Z"],
    ["2026-01-15 10:30", "2026-01-15T10:30:00.000Z"],
    ["2026-01-15 10:30:00 UTC", "2026-01-15T10:30:00.000Z"],
  ];
  test.each(cases)("%s", (text, expected) => expect(read(text)).toBe(expected));
});

describe("the time must be from a minute to a year ahead, both included", () => {
  const at = (ms: number): string => new Date(now + ms).toISOString();
  test.each([60_000, 60_001, 365 * 86_400_000])("%d ms ahead is taken", (ms) => {
    expect(readSchedule("schedule", at(ms), now)).toBe(now + ms);
  });
  test.each([59_999, 0, -1, 365 * 86_400_000 + 1])("%d ms ahead is InvalidArgument", (ms) => {
    expect(() => read(at(ms))).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
  });
});

describe("no time is InvalidArgument", () => {
  const texts = [
    "tomorrow",
    "2026-02-30T10:00:00Z",
    "2026-01-15",
    "2026-01-15T24:00:00Z",
    "2026-13-01T00:00:00Z",
    "+1h",
  ];
  test.each(texts)("%s", (text) => {
    expect(() => read(text)).toThrow(RpcError);
    expect(() => read(text)).toThrow("write it as 2026-01-15T10:30:00Z");
  });
});

test("a clock that jumps makes what is due happen, and what is canceled does not", async () => {
  let time = 0;
  const clock = { now: () => time, set: () => {} };
  const canceled = whenDue(clock, 500, 1, () => expect.unreachable());
  const happened = Promise.withResolvers<void>();
  whenDue(clock, 1000, 1, () => happened.resolve());
  canceled.cancel();
  time = 1000;
  // The timers keep no process alive; the test waits for them all the same.
  const alive = setInterval(() => {}, 1000);
  await happened.promise;
  clearInterval(alive);
});
