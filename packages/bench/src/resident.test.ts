import { expect, test } from "vitest";
import { residentOf } from "./resident.js";

test("this process has memory, and never had less than now", () => {
  const { now, peak } = residentOf(process.pid);
  if (process.platform !== "linux") expect({ now, peak }).toEqual({ now: Number.NaN, peak: Number.NaN });
  else expect(peak).toBeGreaterThanOrEqual(now);
});

test("nothing is known of a process that is none", () => {
  expect(residentOf(0)).toEqual({ now: Number.NaN, peak: Number.NaN });
});
