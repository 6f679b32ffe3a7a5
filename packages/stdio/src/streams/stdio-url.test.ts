import { Code, RpcError } from "@guestwire/rpc";
import { expect, test } from "vitest";
import { createStreamIds, parseStdioUrl, streamUrl } from "./index.js";

test.each([
  ["", undefined],
  ["stream://1", { scheme: "stream", id: 1 }],
  ["STREAM://4294967295", { scheme: "stream", id: 4_294_967_295 }],
  ["/run/fifo/a%20b", { scheme: "fifo", path: "/run/fifo/a%20b" }],
  ["fifo:///run/a%20b", { scheme: "fifo", path: "/run/a b" }],
  ["pipe:///run/a", { scheme: "pipe", path: "/run/a" }],
  ["file:///var/log/a?x=1", { scheme: "file", path: "/var/log/a" }],
  ["binary:///bin/log", { scheme: "binary", path: "/bin/log", args: [] }],
  ["binary:///bin/log?--to=a%20b&flag", { scheme: "binary", path: "/bin/log", args: ["--to", "a b", "flag"] }],
])("%j is read", (text, expected) => {
  expect(parseStdioUrl(text)).toEqual(expected);
});

function errorOf(text: string): RpcError {
  try {
    parseStdioUrl(text);
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error(`${text} was read`);
}

test.each(["nfs://a", "http://a/b", "run:fifo"])("the scheme of %j is not implemented", (text) => {
  expect(errorOf(text)).toMatchObject({ code: Code.Unimplemented });
});

test.each([
  ["stream://0", "a number from 1 to 4294967295"],
  ["stream://4294967296", "a number from 1"],
  ["stream://-1", "a number from 1"],
  ["stream://1/", "a number from 1"],
  ["stream:1", "a number from 1"],
  ["file:/a", 'no "//"'],
  ["file://host/a", 'it names a host ("host")'],
  ["fifo://", "it has no path"],
  ["pipe:///a%zz", "broken percent escape"],
  ["file:///a%00", "holds a NUL"],
])("%j is refused: %s", (text, why) => {
  expect(errorOf(text)).toMatchObject({ code: Code.InvalidArgument, rawMessage: expect.stringContaining(why) });
});

test("ids are counted from 1, or from where it is said, and never are 0", () => {
  const ids = createStreamIds();
  expect([ids.next(), ids.next()].map(streamUrl)).toEqual(["stream://1", "stream://2"]);
  const last = createStreamIds(0xffff_ffff);
  expect([last.next(), last.next()]).toEqual([0xffff_ffff, 1]);
  for (const first of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
    expect(() => createStreamIds(first)).toThrow(/is no stream id: it must be a number from 1 to 4294967295/);
  }
});
