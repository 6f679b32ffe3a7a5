import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { isFinal, isJobStatus } from "./status.js";
import { dateFromNs, dateFromText, dateFromTimestamp, nsFromDate, textFromDate, timestampFromDate } from "./time.js";

const invalid = expect.objectContaining({ code: Code.InvalidArgument });
const outOfRange = expect.objectContaining({ code: Code.OutOfRange });

test("nanoseconds since 1970, beyond what a number holds", () => {
  expect(dateFromNs(1_768_473_000_123_456_789n).toISOString()).toBe("2026-01-15T10:30:00.123Z");
  expect(dateFromNs(-1n).getTime()).toBe(-1);
  expect(dateFromNs(0n).getTime()).toBe(0);
  expect(nsFromDate(new Date(1_768_473_000_123))).toBe(1_768_473_000_123_000_000n);
  expect(() => dateFromNs(2n ** 100n)).toThrow(outOfRange);
  expect(() => nsFromDate(new Date(Number.NaN))).toThrow(invalid);
});

test("RFC 3339", () => {
  expect(dateFromText("")).toBeUndefined();
  expect(dateFromText("2026-01-15T10:30:00Z")?.getTime()).toBe(1_768_473_000_000);
  expect(dateFromText("2026-01-15t12:30:00.123456789+02:00")?.getTime()).toBe(1_768_473_000_123);
  for (const text of ["tomorrow", "2026-01-15", "2026-01-15T10:30:00", "2026-99-15T10:30:00Z"]) {
    expect(() => dateFromText(text)).toThrow(invalid);
  }
  expect(textFromDate(new Date(1_768_473_000_000))).toBe("2026-01-15T10:30:00.000Z");
  expect(() => textFromDate(new Date(Number.NaN))).toThrow(invalid);
});

test("Joblet's own timestamps", () => {
  expect(dateFromTimestamp(undefined)).toBeUndefined();
  for (const ms of [0, 1_768_473_000_123, -1, -1500]) {
    const { seconds, nanos } = timestampFromDate(new Date(ms));
    expect(nanos).toBeGreaterThanOrEqual(0);
    expect(dateFromTimestamp({ $typeName: "joblet.Timestamp", seconds, nanos })?.getTime()).toBe(ms);
  }
});

test("statuses", () => {
  expect(["COMPLETED", "FAILED", "STOPPED", "CANCELED", "TIMEOUT"].every(isFinal)).toBe(true);
  expect(["PENDING", "SCHEDULED", "INITIALIZING", "RUNNING", "STOPPING", "DANCING", ""].some(isFinal)).toBe(false);
  expect([isJobStatus("RUNNING"), isJobStatus("FAILED"), isJobStatus("DANCING")]).toEqual([true, true, false]);
});
