// The end of a channel.
import { Code, createPushStream } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { all, failure, fired, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function closing(open: Open): void {
  describe("closing the channel", () => {
    test("refuses new calls", async () => {
      await using peer = await open();
      await peer.client.echo({});
      await peer.channel.close();
      const expected = { code: Code.Unavailable, reason: "connection_closed", rawMessage: "the channel is closed" };
      expect(await failure(peer.client.echo({}))).toMatchObject(expected);
      expect(await failure(all(peer.client.split({})))).toMatchObject(expected);
      expect(await failure(peer.client.join([]))).toMatchObject(expected);
    });

    test("ends running calls with Canceled, and their handlers are told", async () => {
      const begun = Promise.withResolvers<void>();
      const told = Promise.withResolvers<unknown>();
      await using peer = await open({
        async hang(_, context) {
          begun.resolve();
          told.resolve(await fired(context.signal));
          return {};
        },
      });
      const call = failure(peer.client.hang({}));
      const stream = failure(all(peer.client.chat(createPushStream<object>())));
      await begun.promise;
      await peer.channel.close();
      const expected = { code: Code.Canceled, reason: "canceled", rawMessage: "the channel was closed" };
      expect(await call).toMatchObject(expected);
      expect(await stream).toMatchObject(expected);
      expect(await told.promise).toMatchObject({ code: Code.Canceled });
    });

    test("with a grace lets running calls finish", async () => {
      const go = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      await using peer = await open({
        async hang() {
          begun.resolve();
          await go.promise;
          return {};
        },
      });
      const call = peer.client.hang({});
      await begun.promise;
      const closed = peer.channel.close({ graceMs: 60_000 });
      expect(await failure(peer.client.echo({}))).toMatchObject({ code: Code.Unavailable });
      go.resolve();
      await call;
      await closed;
    });

    test("with a grace that is over ends them all the same", async () => {
      await using peer = await open({ hang: () => new Promise<never>(() => {}) });
      const call = failure(peer.client.hang({}));
      await peer.client.echo({});
      await peer.channel.close({ graceMs: 5 });
      expect(await call).toMatchObject({ code: Code.Canceled, reason: "canceled" });
    });

    test("a second close waits for the same end, and disposal closes", async () => {
      await using peer = await open();
      await peer.client.echo({});
      await Promise.all([
        peer.channel.close(),
        peer.channel.close({ graceMs: 5 }),
        peer.channel[Symbol.asyncDispose](),
      ]);
      expect(await failure(peer.client.echo({}))).toMatchObject({ code: Code.Unavailable });
    });

    test("an unused channel closes", async () => {
      await using peer = await open();
      await peer.channel.close();
    });
  });
}
