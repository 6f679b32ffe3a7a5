// Which stream ids are taken, held against a set of all that were seen.
import { propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { IdWindow } from "./id-window.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

function accepted(ids: readonly number[]): boolean[] {
  const window = new IdWindow();
  return ids.map((id) => window.accept(id));
}

test("begins with no id", () => {
  expect(new IdWindow().highest).toBe(-1);
});

test("takes rising ids, once each", () => {
  expect(accepted([1, 3, 5, 5, 3, 1, 7])).toEqual([true, true, true, false, false, false, true]);
});

test("takes gaps, and what was skipped later, once", () => {
  expect(accepted([5, 1, 1, 3, 3, 9, 7, 7])).toEqual([true, true, false, true, false, true, true, false]);
});

test("takes the highest id there is, and then what was skipped just before", () => {
  expect(accepted([0xffff_ffff, 1, 0xffff_fffd, 0xffff_ffff])).toEqual([true, false, true, false]);
});

test.each([
  ["1,023", 1023, true],
  ["1,024", 1024, true],
  ["1,025", 1025, false],
])("a skipped id that lies %s ids back", (_, back, taken) => {
  const window = new IdWindow();
  window.accept(1);
  window.accept(5);
  for (let id = 7; id <= 3 + 2 * back; id += 2) window.accept(id);
  expect(window.highest).toBe(3 + 2 * back);
  expect(window.accept(3)).toBe(taken);
});

test("a jump makes as many late ids good as the window has", () => {
  const window = new IdWindow();
  window.accept(100_001);
  expect(window.accept(100_001 - 2 * 1025)).toBe(false);
  expect(window.accept(100_001 - 2 * 1024)).toBe(true);
  expect(window.accept(99_999)).toBe(true);
});

test("agrees with a set of all ids that were seen", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3000 }), { maxLength: 200 }), (halves) => {
      const window = new IdWindow();
      const seen = new Set<number>();
      let highest = -1;
      for (const id of halves.map((half) => half * 2 + 1)) {
        const expected = id > highest || (!seen.has(id) && id >= highest - 2048);
        expect([id, window.accept(id)]).toEqual([id, expected]);
        seen.add(id);
        highest = Math.max(highest, id);
        expect(window.highest).toBe(highest);
      }
    }),
    { numRuns: 1000 },
  );
});
