import fc from "fast-check";
import { expect, test } from "vitest";
import { createConsoleReader } from "./console-reader.js";

const token = "gw-0123456789abcdef";

function read(parts: readonly string[]): string[] {
  const seen: string[] = [];
  const reader = createConsoleReader(token, {
    line: (text) => seen.push(`line ${text}`),
    ready: (uptime) => seen.push(`ready ${uptime}`),
    exit: (status) => seen.push(`exit ${status}`),
    failed: (reason) => seen.push(`failed ${reason}`),
  });
  for (const part of parts) reader.push(part);
  return seen;
}

test("marks are told from output, which keeps its empty lines", () => {
  const text = `${token} READY 1.98\none\n\ntwo\n\n${token} EXIT 3\n`;
  expect(read([text])).toEqual(["ready 1.98", "line one", "line ", "line two", "exit 3"]);
});

test("output that does not end its last line is whole", () => {
  expect(read([`half\n${token} EXIT 0\n`])).toEqual(["line half", "exit 0"]);
});

test("a line that only looks like a mark is output", () => {
  const lines = [`${token}EXIT 0`, `x ${token} EXIT 0`, "gw-other EXIT 0", `${token} EXITED 0`];
  expect(read([`${lines.join("\n")}\n`])).toEqual(lines.map((line) => `line ${line}`));
});

test("a failure of init is told with its reason", () => {
  expect(read([`${token} FAILED insmod 9p\n`])).toEqual(["failed insmod 9p"]);
});

test("a serial port's carriage returns are taken off", () => {
  expect(read([`one\r\n${token} EXIT 0\r\n`])).toEqual(["line one", "exit 0"]);
});

test("it does not matter how the text is cut", () => {
  const text = `${token} READY 2\na\n\n\nb\n\n${token} EXIT 130\n`;
  const whole = read([text]);
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), text.length];
      expect(read(at.slice(1).map((end, i) => text.slice(at[i], end)))).toEqual(whole);
    }),
    { seed: 1 },
  );
});
