// Headers as a view of metadata: they behave as those of the platform, and lose nothing that these would.
import { inspect } from "node:util";
import { Metadata } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { headersOf, likeHeaders, metadataOf } from "./headers.js";

describe("a view", () => {
  const pairs: [string, string][] = [
    ["b", "2"],
    ["x-a", "1"],
    ["b", ""],
    ["set-cookie", "s=1"],
    ["x-bytes-bin", "AQ=="],
    ["set-cookie", "s=2"],
    ["x-bytes-bin", "Ag=="],
  ];

  test("reads as the platform's Headers of the same pairs", () => {
    const native = new Headers(pairs);
    const view = headersOf(new Metadata(pairs));
    expect(view).toBeInstanceOf(Headers);
    expect([...view]).toEqual([...native]);
    expect([...view.entries()]).toEqual([...native.entries()]);
    expect([...view.keys()]).toEqual([...native.keys()]);
    expect([...view.values()]).toEqual([...native.values()]);
    expect(view.getSetCookie()).toEqual(native.getSetCookie());
    expect(Object.fromEntries(new Headers([...view]))).toEqual(Object.fromEntries(new Headers([...native])));
    for (const key of ["B", "X-A", "set-cookie", "none"]) {
      expect([view.get(key), view.has(key)]).toEqual([native.get(key), native.has(key)]);
    }
    const seen: unknown[] = [];
    const self = {};
    view.forEach(function (this: unknown, value, key, parent) {
      seen.push([key, value, parent === view, this === self]);
    }, self);
    expect(seen).toEqual([...native].map(([key, value]) => [key, value, true, true]));
    const shown = inspect(headersOf(new Metadata({ a: "1", authorization: "Bearer sesame" })));
    expect(shown).toBe("Headers { a: '1', authorization: '***' }");
  });

  test("changes the metadata, and shows what changes there", () => {
    const metadata = new Metadata(pairs);
    const view = headersOf(metadata);
    view.append("X-A", "  two words\t");
    view.set("B", "3");
    view.delete("set-cookie");
    expect(metadata.getAll("x-a")).toEqual(["1", "two words"]);
    expect([metadata.getAll("b"), metadata.has("set-cookie")]).toEqual([["3"], false]);
    metadata.set("later", "1");
    expect(view.get("later")).toBe("1");
    expect(metadataOf(view)).toBe(metadata);
  });

  test("refuses what the platform's Headers refuse", () => {
    const view = headersOf(new Metadata());
    expect(() => view.get("bad name")).toThrow(TypeError);
    expect(() => view.delete("bad name")).toThrow(TypeError);
    expect(() => view.set("bad name", "1")).toThrow(TypeError);
    expect(() => view.append("a", "line\nbreak")).toThrow(TypeError);
    expect(() => view.append("a", "🌍")).toThrow(TypeError);
    expect([...view]).toEqual([]);
  });

  test("shows text that is not ASCII as its bytes, and leaves out what no header can hold", () => {
    const metadata = Metadata.received(["a", "ü 🌍", "b", "line\nbreak", "bad key", "1", "b", "ok"]);
    const view = headersOf(metadata);
    expect(Buffer.from(view.get("a") ?? "", "latin1").toString("utf8")).toBe("ü 🌍");
    expect([...view.keys()]).toEqual(["a", "b"]);
    expect(view.get("b")).toBe("ok");
    expect(() => new Headers(view)).not.toThrow();
    expect(metadata.size).toBe(4);
  });
});

describe("metadata of Headers", () => {
  test("is the same through a copy by the platform, but for joined text", () => {
    const metadata = new Metadata([
      ["x-text", "ü 🌍"],
      ["x-bytes-bin", "AQ=="],
      ["x-bytes-bin", ""],
      ["x-bytes-bin", "+/8="],
      ["x-two", "1"],
      ["x-two", "2"],
    ]);
    const copied = metadataOf(new Headers(headersOf(metadata)));
    expect(copied.get("x-text")).toBe("ü 🌍");
    expect(copied.getAll("x-bytes-bin")).toEqual(["AQ==", "", "+/8="]);
    expect(copied.getAll("x-two")).toEqual(["1, 2"]);
  });

  test("takes text that is no UTF-8 as it stands, and every form of init", () => {
    expect(metadataOf(new Headers({ a: "ü" })).get("a")).toBe("ü");
    expect(metadataOf([["a", "1"]]).get("a")).toBe("1");
    expect(metadataOf({ A: "1" }).get("a")).toBe("1");
    expect(metadataOf(undefined).size).toBe(0);
  });
});

test("Headers of the kind that was given", () => {
  const metadata = new Metadata({ a: ["1", "2"] });
  expect(metadataOf(likeHeaders(headersOf(new Metadata()), metadata))).toBe(metadata);
  const native = likeHeaders(new Headers(), metadata);
  expect(Headers.prototype.get.call(native, "a")).toBe("1, 2");
});
