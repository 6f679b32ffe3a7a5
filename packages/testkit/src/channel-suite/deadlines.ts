// Deadlines: they end the call on both sides, whatever the handler does.
import { type CallOptions, Code, createPushStream } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { all, failure, fired, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function deadlines(open: Open): void {
  describe("deadlines", () => {
    const deadline = { code: Code.DeadlineExceeded, reason: "deadline" };

    test("end a unary call, and the handler's signal fires", async () => {
      const ended = Promise.withResolvers<unknown>();
      let begun = false;
      await using peer = await open({
        async hang(_, context) {
          begun = true;
          ended.resolve(await fired(context.signal));
          return {};
        },
      });
      // A machine that stalls may let the time pass before the handler has begun; then it gets more.
      for (let timeoutMs = 5; !begun; timeoutMs *= 4) {
        expect(await failure(peer.client.hang({}, { timeoutMs }))).toMatchObject({
          ...deadline,
          method: "/guestwire.test.v1.EchoService/Hang",
          peer: peer.channel.target,
        });
      }
      expect(await ended.promise).toMatchObject({ code: Code.DeadlineExceeded });
    });

    test("end a call whose handler takes no notice", async () => {
      const never = new Promise<never>(() => {});
      await using peer = await open({
        hang: () => never,
        async *split() {
          yield {};
          await never;
        },
        join: () => never,
        async *chat() {
          yield await never;
        },
      });
      const { client } = peer;
      expect(await failure(client.hang({}, { timeoutMs: 5 }))).toMatchObject(deadline);
      expect(await failure(all(client.split({}, { timeoutMs: 5 })))).toMatchObject(deadline);
      expect(await failure(client.join([], { timeoutMs: 5 }))).toMatchObject(deadline);
      const requests = createPushStream<object>();
      expect(await failure(all(client.chat(requests, { timeoutMs: 5 })))).toMatchObject(deadline);
      expect(await failure(requests.push({}))).toMatchObject({ code: Code.Canceled });
    });

    test("reach the handler, whose clock runs against them", async () => {
      await using peer = await open();
      const { timeRemainingMs } = await peer.client.inspect({}, { timeoutMs: 60_000 });
      expect(timeRemainingMs).toBeGreaterThan(30_000);
      expect(timeRemainingMs).toBeLessThanOrEqual(60_000);
    });

    test.each([undefined, 0, Number.POSITIVE_INFINITY])("timeoutMs %s is no limit", async (timeoutMs) => {
      await using peer = await open();
      const options: CallOptions = timeoutMs === undefined ? {} : { timeoutMs };
      expect((await peer.client.inspect({}, options)).timeRemainingMs).toBe(-1);
    });

    test.each([-1, Number.NaN, "5", null])("timeoutMs %s is refused by name", async (timeoutMs) => {
      await using peer = await open();
      const options = { timeoutMs } as CallOptions;
      const expected = { code: Code.InvalidArgument, rawMessage: expect.stringContaining("timeoutMs") };
      expect(await failure(peer.client.echo({}, options))).toMatchObject(expected);
      expect(await failure(all(peer.client.split({}, options)))).toMatchObject(expected);
      expect(await failure(peer.client.join([], options))).toMatchObject(expected);
    });

    test("of a channel hold for every call, unless the call says otherwise", async () => {
      await using peer = await open({}, { client: { timeoutMs: 5 } });
      expect(await failure(peer.client.hang({}))).toMatchObject(deadline);
      expect((await peer.client.inspect({}, { timeoutMs: 0 })).timeRemainingMs).toBe(-1);
    });
  });
}
