// Interceptors on the client's side and the response's metadata: they may look, change what the caller is told, or say
// nothing of it.
import { describe, expect, test } from "vitest";
import type { CallOptions } from "./channel.js";
import { open } from "./intercepted.test.support.js";
import type { Interceptor } from "./interceptor.js";
import { Metadata } from "./metadata.js";
import type { Handlers } from "./router.js";
import { all, type Words } from "./words.test.support.js";

const handlers: Partial<Handlers<typeof Words>> = {
  shout(_, context) {
    context.responseHeader.set("h", "1");
    context.responseTrailer.set("t", "2");
    return {};
  },
  async *count(_, context) {
    context.responseHeader.set("h", "1");
    yield { value: 1 };
    context.responseTrailer.set("t", "2");
  },
};

function recorded(log: string[]): CallOptions {
  return {
    onHeader: (header) => void log.push(`header ${JSON.stringify(header)}`),
    onTrailer: (trailer) => void log.push(`trailer ${JSON.stringify(trailer)}`),
  };
}

describe("the response's metadata", () => {
  const look =
    (name: string, log: string[]): Interceptor =>
    (next) =>
    (call) =>
      next({
        ...call,
        onHeader(header) {
          log.push(`${name} header`);
          call.onHeader?.(new Metadata([...header, [name, "h"]]));
        },
        onTrailer(trailer) {
          log.push(`${name} trailer`);
          call.onTrailer?.(new Metadata([...trailer, [name, "t"]]));
        },
      });

  test("passes every interceptor on its way to the caller, the innermost first", async () => {
    const log: string[] = [];
    const client = open([look("outer", log), look("inner", log)], handlers);
    const expected = [
      "inner header",
      "outer header",
      'header [["h","1"],["inner","h"],["outer","h"]]',
      "inner trailer",
      "outer trailer",
      'trailer [["t","2"],["inner","t"],["outer","t"]]',
    ];
    await client.shout({}, recorded(log));
    expect(log.splice(0)).toEqual(expected);
    await all(client.count({}, recorded(log)));
    expect(log.splice(0)).toEqual(expected);
    await client.shout({});
    expect(log).toEqual(["inner header", "outer header", "inner trailer", "outer trailer"]);
  });

  test("reaches the caller past interceptors that copy the call", async () => {
    const log: string[] = [];
    const copy: Interceptor = (next) => (call) => next({ ...call });
    await open([copy, copy], handlers).shout({}, recorded(log));
    expect(log).toEqual(['header [["h","1"]]', 'trailer [["t","2"]]']);
  });

  test("is kept from the caller by who says so", async () => {
    const log: string[] = [];
    const hide: Interceptor = (next) => (call) => next({ ...call, onHeader: undefined });
    await open([hide], handlers).shout({}, recorded(log));
    expect(log).toEqual(['trailer [["t","2"]]']);
  });
});
