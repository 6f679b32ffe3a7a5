// What a handler knows of its call.
import { Code, createClient, type HandlerContext } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, failure, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function contexts(open: Open): void {
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
      expect([...(seen?.metadata ?? ["none"])]).toEqual([]);
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
        ["Shared", "ü 🌍"],
        ["b", ""],
      ];
      const expected = ["x-channel=c", "shared=1", "x-client=k", "b=2", "shared=ü 🌍", "b="];
      const seen = await client.inspect({}, { metadata });
      expect(seen.metadata.map(({ key, value }) => `${key}=${value}`)).toEqual(expected);
    });

    test("has the metadata of streams, also long after the call began", async () => {
      const go = Promise.withResolvers<void>();
      await using peer = await open({
        async *split(_, context) {
          await go.promise;
          yield { text: JSON.stringify(context.metadata) };
        },
        join: async (_, context) => ({ text: JSON.stringify(context.metadata) }),
      });
      const options = { metadata: { a: ["1", "2"] } };
      const split = all(peer.client.split({}, options));
      expect((await peer.client.join([], options)).text).toBe('[["a","1"],["a","2"]]');
      go.resolve();
      expect((await split)[0]?.text).toBe('[["a","1"],["a","2"]]');
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
