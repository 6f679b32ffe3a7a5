import { expect, test } from "vitest";
import { DetachKeys } from "./detach-keys.js";

const pass = (keys: DetachKeys, text: string) => {
  const { data, detached } = keys.pass(Buffer.from(text, "latin1"));
  return [Buffer.from(data).toString("latin1"), detached];
};

test("the sequence is found, also across messages; what is not the sequence goes on", () => {
  const keys = new DetachKeys("ctrl-p,ctrl-q");
  expect(pass(keys, "abc")).toEqual(["abc", false]);
  expect(pass(keys, "a\x10b")).toEqual(["a\x10b", false]);
  expect(pass(keys, "\x10")).toEqual(["", false]);
  expect(pass(keys, "\x10x")).toEqual(["\x10\x10x", false]);
  expect(pass(keys, "y\x10")).toEqual(["y", false]);
  expect(pass(keys, "\x11rest")).toEqual(["", true]);
});

test("without keys everything goes on; keys may be characters", () => {
  expect(pass(new DetachKeys(""), "\x10\x11")).toEqual(["\x10\x11", false]);
  expect(pass(new DetachKeys("ctrl-a,d"), "x\x01d")).toEqual(["x", true]);
  for (const wrong of ["ctrl-", "ctrl-1", "F1", "a,", "ctrl-p ctrl-q"]) {
    expect(() => new DetachKeys(wrong)).toThrow(/detach_keys: /);
  }
});
