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

// Rust's async client with 20,000 calls at once, of which our server refused some as used: the window had 1,024 ids.
test("takes thousands of calls whose ids come in another order", () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => 2 * i + 1);
  const late = ids.splice(100, 100);
  ids.splice(4000, 0, ...late);
  expect(accepted(ids).every(Boolean)).toBe(true);
  expect(accepted([...ids, ...late]).filter(Boolean)).toHaveLength(20_000);
});

test("takes the highest id there is, and then what was skipped just before", () => {
  expect(accepted([0xffff_ffff, 1, 0xffff_fffd, 0xffff_ffff])).toEqual([true, false, true, false]);
});

test.each([
  ["16,382", 16_382, true],
  ["16,383", 16_383, true],
  ["16,384", 16_384, false],
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
  expect(window.accept(100_001 - 2 * 16_384)).toBe(false);
  expect(window.accept(100_001 - 2 * 16_383)).toBe(true);
  expect(window.accept(99_999)).toBe(true);
});

test("agrees with a set of all ids that were seen", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 60_000 })), { maxLength: 200 }), (halves) => {
      const window = new IdWindow();
      const seen = new Set<number>();
      let highest = -1;
      for (const id of halves.map((half) => half * 2 + 1)) {
        const expected = id > highest || (!seen.has(id) && id > highest - 2 * 16_384);
        expect([id, window.accept(id)]).toEqual([id, expected]);
        seen.add(id);
        highest = Math.max(highest, id);
        expect(window.highest).toBe(highest);
      }
    }),
    { numRuns: 1000 },
  );
});
