import { Code } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { errorOf } from "../../guest.test.support.js";
import { terminalInputBytes } from "../limits.js";
import { TerminalInput } from "./terminal-input.js";

/** A terminal that takes only as much as it is allowed to. */
class Narrow {
  fd = 7;
  room = 0;
  readonly taken: number[] = [];
  readonly write = (fd: number, data: Uint8Array): number => {
    expect(fd).toBe(7);
    const count = Math.min(this.room, data.length);
    if (count === 0) throw Object.assign(new Error("again"), { code: "EAGAIN" });
    this.room -= count;
    this.taken.push(...data.subarray(0, count));
    return count;
  };
}

function opened(): { narrow: Narrow; input: TerminalInput } {
  const narrow = new Narrow();
  const input = new TerminalInput("containers/c", narrow.write);
  input.open(narrow);
  return { narrow, input };
}

test("bytes go in order, in as many parts as the terminal takes", async () => {
  const { narrow, input } = opened();
  narrow.room = 2;
  const [first, second] = [input.write(Buffer.from("abc")), input.write(Buffer.from("de"))];
  narrow.room = 100;
  expect([await first, await second]).toEqual([3, 2]);
  expect(Buffer.from(narrow.taken).toString()).toBe("abcde");
});

test("there is room until a megabyte waits, and an end beyond eight", async () => {
  const { input } = opened();
  void input.write(new Uint8Array(terminalInputBytes - 1));
  expect(input.hasRoom).toBe(true);
  void input.write(new Uint8Array(1));
  expect(input.hasRoom).toBe(false);
  void input.write(new Uint8Array(7 * terminalInputBytes));
  expect(() => input.write(new Uint8Array(1))).toThrow(/bytes of input wait already/);
  input.closed("the process has ended");
});

test("the end is one Ctrl-D, and two behind an unfinished line", () => {
  for (const [text, end] of [
    ["", [4]],
    ["line\n", [4]],
    ["part", [4, 4]],
  ] as const) {
    const { narrow, input } = opened();
    narrow.room = 100;
    void input.write(Buffer.from(text));
    input.end();
    expect(narrow.taken.slice(text.length)).toEqual(end);
  }
});

test("a terminal that goes away fails what waits and what comes", async () => {
  const { narrow, input } = opened();
  const waiting = errorOf(input.write(Buffer.from("x")));
  narrow.fd = -1;
  expect(await waiting).toMatchObject({
    code: Code.FailedPrecondition,
    rawMessage: expect.stringContaining("the terminal is gone"),
  });
  expect(() => input.write(Buffer.from("y"))).toThrow(/the terminal is gone/);
  input.end();
  expect(() => new TerminalInput("c").write(Buffer.from("z"))).toThrow(/was not started/);
});
