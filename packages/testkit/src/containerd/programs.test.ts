// What is read of containerd's versions and of what its shims print.
import { expect, test } from "vitest";
import { type ContainerPrograms, isSince, shimAddress } from "./programs.js";

test("versions compare by number", () => {
  const since = (version: string, major: number, minor: number): boolean =>
    isSince({ version } as ContainerPrograms, major, minor);
  expect([since("1.6.20", 1, 7), since("1.7.0", 1, 7), since("1.10.1", 1, 7), since("2.1.9", 1, 7)]).toEqual([
    false,
    true,
    true,
    true,
  ]);
  expect(since("1.7.24", 2, 0)).toBe(false);
});

test("a shim's address comes bare, or in JSON since containerd 2", () => {
  expect(shimAddress("unix:///run/a\n")).toBe("unix:///run/a");
  expect(shimAddress('{"version":3,"address":"unix:///run/a","protocol":"ttrpc"}')).toBe("unix:///run/a");
});
