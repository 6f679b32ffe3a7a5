// What a handler knows of its call.
import { Code, createClient, type HandlerContext } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, failure, type Open } from "./harness.js";

/**
 * Declares these tests for one kind of channel.
 *
 * @param headers Whether metadata travels as HTTP/2 headers.
 */
export function contexts(open: Open, headers: boolean): void {
  describe("the handler's context", () => {
    test("names the method and the peer, and takes response metadata", async () => {
      let seen: HandlerContext | undefined;
      await using peer = await open({
        echo: (_, context) => {
          seen = context;
          context.responseHeader.set("x-header", "1");
          context.responseTrailer.append("x-trailer", "2");
          return {};
        },
      });
      await peer.client.echo({});
      expect(seen?.method).toBe(EchoService.method.echo);
      expect(seen?.path).toBe("/guestwire.test.v1.EchoService/Echo");
      expect(seen?.peer.kind).toMatch(/^[a-z-]+$/);
      expect(seen?.peer.address).toContain(":");
      expect(seen?.deadline).toBeUndefined();
      expect(seen?.timeRemainingMs()).toBe(Number.POSITIVE_INFINITY);
      expect(sent(seen?.metadata ?? [["none", ""]])).toEqual([]);
      expect(seen?.signal.aborted).toBe(false);
      expect(seen?.values).toBe(seen?.values);
    });

    test("has the deadline as a date", async () => {
      let seen: Date | undefined;
      await using peer = await open({
        echo: (_, context) => {
          seen = context.deadline;
          return {};
        },
      });
      const before = Date.now();
      await peer.client.echo({}, { timeoutMs: 60_000 });
      expect(seen?.getTime()).toBeGreaterThan(before + 59_000);
      expect(seen?.getTime()).toBeLessThan(Date.now() + 61_000);
    });

    test("has the metadata: the channel's first, then the call's, in order, several values per key", async () => {
      await using peer = await open({}, { client: { metadata: { "X-Channel": "c", shared: "1" } } });
      const client = createClient(EchoService, peer.channel, { metadata: [["x-client", "k"]] });
      const metadata: [string, string][] = [
        ["b", "2"],
        ["Shared", headers ? "two words" : "ü 🌍"],
        ["b", ""],
      ];
      const seen = await client.inspect({}, { metadata });
      const pairs = sent(seen.metadata.map(({ key, value }) => [key, value]));
      if (headers) {
        expect(pairs).toHaveLength(4);
        expect(Object.fromEntries(pairs)).toEqual({
          "x-channel": "c",
          shared: "1, two words",
          "x-client": "k",
          b: "2, ",
        });
      } else {
        const expected = ["x-channel=c", "shared=1", "x-client=k", "b=2", "shared=ü 🌍", "b="];
        expect(pairs.map(([key, value]) => `${key}=${value}`)).toEqual(expected);
      }
    });

    test("has the metadata of streams, also long after the call began", async () => {
      const go = Promise.withResolvers<void>();
      await using peer = await open({
        async *split(_, context) {
          await go.promise;
          yield { text: JSON.stringify(sent(context.metadata)) };
        },
        join: async (_, context) => ({ text: JSON.stringify(sent(context.metadata)) }),
      });
      const options = { metadata: { a: ["1", "2"] } };
      const expected = headers ? '[["a","1, 2"]]' : '[["a","1"],["a","2"]]';
      const split = all(peer.client.split({}, options));
      expect((await peer.client.join([], options)).text).toBe(expected);
      go.resolve();
      expect((await split)[0]?.text).toBe(expected);
    });

    test("has the bytes of `-bin` keys as base64 text", async () => {
      await using peer = await open();
      const values = ["AQID/w==", "", "+/8="];
      const seen = await peer.client.inspect({}, { metadata: { "x-bytes-bin": values } });
      expect(seen.metadata.filter(({ key }) => key === "x-bytes-bin").map(({ value }) => value)).toEqual(values);
    });

    test("metadata that cannot be sent is refused by name", async () => {
      await using peer = await open();
      const options = { metadata: { "bad key": "1" } };
      const expected = { code: Code.InvalidArgument, rawMessage: expect.stringContaining("bad key") };
      expect(await failure(peer.client.echo({}, options))).toMatchObject(expected);
      expect(await failure(all(peer.client.split({}, options)))).toMatchObject(expected);
    });

    test("has a signal that stays quiet once the handler has returned", async () => {
      const contexts: HandlerContext[] = [];
      await using peer = await open({
        echo: (_, context) => {
          contexts.push(context);
          return {};
        },
        async *split(_, context) {
          contexts.push(context);
          yield {};
        },
      });
      const control = new AbortController();
      await peer.client.echo({}, { signal: control.signal });
      await all(peer.client.split({}, { signal: control.signal }));
      control.abort();
      await peer.client.inspect({});
      expect(contexts.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    });
  });
}

/** The pairs that the client's caller gave: HTTP/2 adds who it is. */
function sent(pairs: Iterable<readonly [key: string, value: string]>): (readonly [key: string, value: string])[] {
  return [...pairs].filter(([key]) => key !== "user-agent");
}
