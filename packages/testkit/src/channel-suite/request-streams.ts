// Streams of requests that fail, never end, or are not read.
import { type CallOptions, Code, createClient, createPushStream, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { turns } from "../fake-clock.js";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, failure, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function requestStreams(open: Open): void {
  describe("streams of requests", () => {
    test("that fail end the call with their error as cause, and the handler's reading fails", async () => {
      const begun = Promise.withResolvers<void>();
      const told = Promise.withResolvers<unknown>();
      await using peer = await open({
        async join(requests) {
          try {
            for await (const _ of requests) begun.resolve();
          } catch (error) {
            told.resolve(error);
            throw error;
          }
          return {};
        },
      });
      const broken = new RpcError(Code.DataLoss, "the disk is gone");
      async function* requests() {
        yield {};
        // A call that ends at once may never have left.
        await begun.promise;
        throw broken;
      }
      const error = RpcError.from(await failure(peer.client.join(requests())));
      expect(error).toMatchObject({ code: Code.DataLoss, reason: undefined, cause: broken });
      expect(error.rawMessage).toBe("the stream of requests failed: the disk is gone");
      expect(await told.promise).toMatchObject({ code: Code.Canceled });
    });

    test("are left when the call ends before them", async () => {
      await using peer = await open({
        join: async () => ({ text: "enough" }),
        async *chat() {
          yield { text: "bye" };
        },
      });
      const left = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      async function* endless(at: number) {
        try {
          for (;;) {
            yield {};
            await turns(1);
          }
        } finally {
          left[at]?.resolve();
        }
      }
      expect(await peer.client.join(endless(0))).toMatchObject({ text: "enough" });
      expect(await all(peer.client.chat(endless(1)))).toHaveLength(1);
      await Promise.all(left.map(({ promise }) => promise));
    });

    test("that wait for something are told when the call ends", async () => {
      await using peer = await open({ join: async () => ({}) });
      const requests = createPushStream<object>();
      await peer.client.join(requests);
      expect(await failure(requests.push({}))).toMatchObject({ code: Code.Canceled });
    });

    test("of calls that never begin are left too, so that nobody pushes into them for ever", async () => {
      await using peer = await open();
      const intercepted = createClient(EchoService, peer.channel, { interceptors: [(next) => (call) => next(call)] });
      const ways: CallOptions[] = [{ signal: AbortSignal.abort() }, { timeoutMs: -1 }, { metadata: { "bad key": "" } }];
      const attempt = async (options: CallOptions): Promise<void> => {
        for (const client of [peer.client, intercepted]) {
          const requests = createPushStream<object>({ highWaterMark: 1 });
          const waiting = requests.push({});
          await failure(client.join(requests, options));
          expect(await failure(waiting)).toMatchObject({ code: Code.Canceled });
        }
      };
      for (const options of ways) await attempt(options);
      await peer.channel.close();
      await attempt({});
    });

    test("may be read by the handler in part; the rest goes nowhere and the call goes on", async () => {
      await using peer = await open({
        async *chat(requests) {
          for await (const { text } of requests) {
            yield { text };
            break;
          }
          yield { text: "last" };
        },
      });
      const requests = createPushStream<{ text: string }>();
      const responses = peer.client.chat(requests);
      await requests.push({ text: "first" });
      expect((await responses.next()).value?.text).toBe("first");
      expect((await responses.next()).value?.text).toBe("last");
      expect((await responses.next()).done).toBe(true);
    });

    test("of which most are not read do not end the call", async () => {
      await using peer = await open({
        async *chat(requests) {
          for await (const _ of requests) break;
          await turns();
          yield { text: "last" };
        },
      });
      const requests = Array.from({ length: 100 }, () => ({}));
      expect((await all(peer.client.chat(requests))).map(({ text }) => text)).toEqual(["last"]);
    });

    test("are read on while the handler does something else, up to a bound", async () => {
      const go = Promise.withResolvers<void>();
      await using peer = await open({
        async join(requests) {
          await go.promise;
          return { number: BigInt((await all(requests)).length) };
        },
      });
      const requests = createPushStream<object>();
      const joined = peer.client.join(requests);
      for (let i = 0; i < 10; i++) await requests.push({});
      requests.end();
      go.resolve();
      expect(await joined).toMatchObject({ number: 10n });
    });
  });
}
