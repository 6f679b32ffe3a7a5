import { expect, test } from "vitest";
import { isImageId, parseImageReference } from "./image-reference.js";

const digest = `sha256:${"a".repeat(64)}`;

test("references are read in their parts", () => {
  const read = (text: string) => Object.values(parseImageReference(text, "image"));
  expect(read("alpine")).toEqual(["alpine", "", ""]);
  expect(read("alpine:3.20")).toEqual(["alpine", "3.20", ""]);
  expect(read("team/app_x:Tag-1")).toEqual(["team/app_x", "Tag-1", ""]);
  expect(read("localhost:5000/a/b")).toEqual(["localhost:5000/a/b", "", ""]);
  expect(read(`Host.Example:1/a:b@${digest}`)).toEqual(["Host.Example:1/a", "b", digest]);
  expect(read(`a@${digest}`)).toEqual(["a", "", digest]);
});

test("malformed ones are refused, naming the field, in no time", () => {
  for (const text of [
    "",
    "Upper",
    "a b",
    "a:",
    ":tag",
    "a/",
    "/a",
    "a@sha256:1",
    "a:b:c",
    `a:${"t".repeat(129)}`,
    "ä",
  ]) {
    expect(() => parseImageReference(text, "config.image")).toThrow(/config\.image: /);
  }
  expect(() => parseImageReference("a-".repeat(100_000), "image")).toThrow(/image: /);
  expect(() => parseImageReference(`${"a".repeat(500)}!`, "image")).toThrow(/image: /);
});

test("ids are told from names", () => {
  expect([digest, "a".repeat(64), "0123456789ab"].map(isImageId)).toEqual([true, true, true]);
  expect(["alpine", "abc", `sha256:${"g".repeat(64)}`].map(isImageId)).toEqual([false, false, false]);
});
