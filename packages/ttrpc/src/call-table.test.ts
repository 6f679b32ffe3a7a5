// The table of calls, held against a Map.
import { propertySeed } from "@guestwire/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { CallTable, type Identified } from "./call-table.js";

fc.configureGlobal({ seed: propertySeed, numRuns: 1000 });

const call = (id: number): Identified => ({ id });

test("finds what was put in, and nothing else", () => {
  const table = new CallTable<Identified>();
  const [one, three] = [call(1), call(3)];
  table.add(one);
  table.add(three);
  expect([table.size, table.get(1), table.get(3), table.get(5), table.get(33)]).toEqual([
    2,
    one,
    three,
    undefined,
    undefined,
  ]);
});

test("a long call whose place comes round again keeps its id, and so does the newer one", () => {
  const table = new CallTable<Identified>();
  const [long, newer] = [call(1), call(33)];
  table.add(long);
  table.add(newer);
  expect([table.size, table.get(1), table.get(33), table.get(65)]).toEqual([2, long, newer, undefined]);
  table.remove(long);
  expect([table.size, table.get(1), table.get(33)]).toEqual([1, undefined, newer]);
  table.remove(newer);
  expect([table.size, table.get(33)]).toEqual([0, undefined]);
});

test("taking out what is not in does nothing", () => {
  const table = new CallTable<Identified>();
  const one = call(1);
  table.add(one);
  table.remove(call(1));
  table.remove(call(33));
  expect([...table]).toEqual([one]);
  table.remove(one);
  table.remove(one);
  expect(table.size).toBe(0);
});

test("calls may be taken out while they are iterated over", () => {
  const table = new CallTable<Identified>();
  for (let id = 1; id < 2001; id += 2) table.add(call(id));
  let seen = 0;
  for (const each of table) {
    seen++;
    table.remove(each);
  }
  expect([seen, table.size]).toEqual([1000, 0]);
});

test("agrees with a Map, whatever is put in and taken out", () => {
  const step = fc.tuple(
    fc.boolean(),
    fc.nat({ max: 150 }).map((half) => half * 2 + 1),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new CallTable<Identified>();
      const model = new Map<number, Identified>();
      for (const [add, id] of steps) {
        const known = model.get(id);
        if (add && known === undefined) {
          const added = call(id);
          model.set(id, added);
          table.add(added);
        } else if (!add && known !== undefined) {
          model.delete(id);
          table.remove(known);
        }
        expect(table.size).toBe(model.size);
        expect(table.get(id)).toBe(model.get(id));
      }
      expect(new Set(table)).toEqual(new Set(model.values()));
      for (const [id, known] of model) expect(table.get(id)).toBe(known);
    }),
    { numRuns: 1000 },
  );
});
