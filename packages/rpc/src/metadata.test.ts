// Metadata: order, several values, case, and what is refused.
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Code } from "./code.js";
import { Metadata, type MetadataInit, toMetadata } from "./metadata.js";
import { RpcError } from "./rpc-error.js";
import "./property-seed.test.support.js";

describe("reading and writing", () => {
  test("keeps the order of all pairs and all values of a key", () => {
    const metadata = new Metadata().append("b", "1").append("a", "2").append("b", "3");
    expect([...metadata]).toEqual([
      ["b", "1"],
      ["a", "2"],
      ["b", "3"],
    ]);
    expect(metadata.size).toBe(3);
    expect(metadata.get("b")).toBe("1");
    expect(metadata.getAll("b")).toEqual(["1", "3"]);
    expect(metadata.get("c")).toBeUndefined();
    expect(metadata.getAll("c")).toEqual([]);
    expect(JSON.stringify(metadata)).toBe('[["b","1"],["a","2"],["b","3"]]');
  });

  test("the console shows the pairs, and no credentials", () => {
    const metadata = new Metadata({ "X-Req": ["1", "2"], authorization: "Bearer sesame" });
    expect(inspect(metadata, { breakLength: Infinity })).toBe(
      "Metadata [ [ 'x-req', '1' ], [ 'x-req', '2' ], [ 'authorization', '***' ] ]",
    );
  });

  test("keys are case-insensitive and stored in lower case", () => {
    const metadata = new Metadata().append("X-Req", "7");
    expect([...metadata]).toEqual([["x-req", "7"]]);
    expect(metadata.get("X-REQ")).toBe("7");
    expect(metadata.getAll("x-Req")).toEqual(["7"]);
    expect(metadata.has("X-req")).toBe(true);
    expect(metadata.set("x-REQ", "8").get("x-req")).toBe("8");
    expect(metadata.delete("X-REQ")).toBe(true);
    expect(metadata.has("x-req")).toBe(false);
  });

  test("set keeps the place of the first value and drops the others", () => {
    const metadata = new Metadata([
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
      ["c", "4"],
      ["a", "5"],
    ]);
    expect([...metadata.set("A", "new")]).toEqual([
      ["a", "new"],
      ["b", "2"],
      ["c", "4"],
    ]);
    expect([...metadata.set("d", "5")].at(-1)).toEqual(["d", "5"]);
  });

  test("delete takes all values and says whether there were any", () => {
    const metadata = new Metadata([
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
    ]);
    expect(metadata.delete("a")).toBe(true);
    expect(metadata.delete("a")).toBe(false);
    expect([...metadata]).toEqual([["b", "2"]]);
  });

  test("a refused value leaves everything as it was", () => {
    const metadata = new Metadata({ a: "1" });
    expect(() => metadata.set("a", "\ud800")).toThrow(RpcError);
    expect(() => metadata.append("a b", "2")).toThrow(RpcError);
    expect([...metadata]).toEqual([["a", "1"]]);
  });
});

describe("what it can be made of", () => {
  const pairs: [string, string][] = [
    ["a", "1"],
    ["a", "2"],
    ["b", "3"],
  ];
  const forms: [string, MetadataInit | undefined, [string, string][]][] = [
    ["nothing", undefined, []],
    ["pairs", pairs, pairs],
    ["metadata", new Metadata(pairs), pairs],
    ["an object with texts and lists", { a: ["1", "2"], b: "3" }, pairs],
    ["an object with gaps", { a: undefined, b: "3", c: [] }, [["b", "3"]]],
    ["a Map", new Map([["B", "3"]]), [["b", "3"]]],
    ["Headers", new Headers({ B: "3" }), [["b", "3"]]],
    ["an object without a prototype", Object.assign(Object.create(null), { __proto__x: "1" }), [["__proto__x", "1"]]],
  ];

  test.each(forms)("%s", (_, init, expected) => {
    expect([...new Metadata(init)]).toEqual(expected);
    expect([...toMetadata(init)]).toEqual(expected);
  });

  test("metadata is copied by the constructor and kept by toMetadata", () => {
    const source = new Metadata({ a: "1" });
    expect(toMetadata(source)).toBe(source);
    new Metadata(source).append("b", "2");
    expect(source.size).toBe(1);
  });

  test("received keys are put in lower case and not judged", () => {
    const metadata = Metadata.received(["X A", "1", "é", "2", "odd one out"]);
    expect([...metadata]).toEqual([
      ["x a", "1"],
      ["é", "2"],
    ]);
  });
});

describe("what is refused, with the offending part named", () => {
  const wrong: [string, unknown, string][] = [
    ["an empty key", { "": "1" }, 'the metadata key "" is not a token of visible ASCII characters'],
    ["white space in a key", { "a b": "1" }, 'the metadata key "a b"'],
    ["a line break in a key", [["a\nb", "1"]], 'the metadata key "a\\nb"'],
    ["a colon in a key", { "a:b": "1" }, 'the metadata key "a:b"'],
    ["a letter outside of ASCII", { é: "1" }, 'the metadata key "é"'],
    ["a letter whose lower case is ASCII", { "\u212Aey": "1" }, "is not a token"],
    ["a key that is no text", [[7, "1"]], "the metadata key of type number"],
    ["a lone surrogate in a value", { a: "\ud800" }, 'the metadata value of "a" is not valid Unicode text'],
    ["a number as value", { "x-req": 7 }, 'the metadata value of "x-req" is not text but number'],
    ["null as value", { "x-req": null }, 'the metadata value of "x-req" is not text but object'],
    ["a number in a list", { a: ["1", 2] }, 'the metadata value of "a" is not text but number'],
    ["half a pair", [["a"]], 'the metadata value of "a" is not text but undefined'],
    ["an entry that is no pair", ["ab"], "metadata has an entry that is no pair"],
    ["a null entry", [null], "metadata has an entry that is no pair"],
    ["a text", "a=1", "metadata must be pairs or an object, not string"],
    ["a number", 7, "metadata must be pairs or an object, not number"],
  ];

  test.each(wrong)("%s", (_, init, message) => {
    const make = (): Metadata => new Metadata(init as MetadataInit);
    expect(make).toThrow(RpcError);
    expect(make).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
    expect(make).toThrow(message);
  });
});

describe("properties", () => {
  const key = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+\-.^_`|~/]{1,12}$/);
  const value = fc.string({ unit: "grapheme", maxLength: 20 });
  const pairs = fc.array(fc.tuple(key, value), { maxLength: 20 });

  test("what goes in comes out, in order, keys in lower case", () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const metadata = new Metadata(list);
        expect([...metadata]).toEqual(list.map(([k, v]) => [k.toLowerCase(), v]));
        expect([...new Metadata(metadata)]).toEqual([...metadata]);
        expect([...Metadata.received([...metadata].flat())]).toEqual([...metadata]);
      }),
    );
  });

  test("behaves as a plain list of pairs under any sequence of changes", () => {
    const step = fc.tuple(fc.constantFrom("append", "set", "delete"), fc.constantFrom("a", "A", "b", "c"), value);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const metadata = new Metadata();
        let model: [string, string][] = [];
        for (const [what, name, text] of steps) {
          const lower = name.toLowerCase();
          const at = model.findIndex(([k]) => k === lower);
          if (what === "append") {
            metadata.append(name, text);
            model.push([lower, text]);
          } else if (what === "delete") {
            expect(metadata.delete(name)).toBe(at >= 0);
            model = model.filter(([k]) => k !== lower);
          } else {
            metadata.set(name, text);
            if (at < 0) model.push([lower, text]);
            else
              model = model
                .map((p, i) => (i === at ? ([lower, text] as [string, string]) : p))
                .filter(([k], i) => i === at || k !== lower);
          }
          expect([...metadata]).toEqual(model);
          expect(metadata.get(name)).toBe(model.find(([k]) => k === lower)?.[1]);
        }
      }),
    );
  });

  test("any text is either a key or refused with InvalidArgument", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (k, v) => {
        try {
          expect([...new Metadata([[k, v]])]).toEqual([[k.toLowerCase(), v]]);
        } catch (error) {
          expect(error).toMatchObject({ code: Code.InvalidArgument });
        }
      }),
    );
  });
});
