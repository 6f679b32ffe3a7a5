// Signals and early leaves: they end the call at once, tell the handler, and leave nothing behind.
import { Code, createPushStream, type ResponseStream, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { turns } from "../fake-clock.js";
import type { EchoResponse } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, failure, fired, listeners, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function cancellation(open: Open): void {
  describe("cancellation", () => {
    test("what is no signal is refused by name, with and without a deadline, and the connection goes on", async () => {
      await using peer = await open({ echo: () => ({}) });
      const signal = new AbortController() as unknown as AbortSignal;
      const expected = {
        code: Code.InvalidArgument,
        rawMessage: expect.stringMatching(/^signal .*pass its \.signal$/),
      };
      expect(await failure(peer.client.echo({}, { signal, timeoutMs: 60_000 }))).toMatchObject(expected);
      expect(await failure(all(peer.client.chat([], { signal })))).toMatchObject(expected);
      await peer.client.echo({});
    });

    test("a signal that has fired already ends a call before any handler runs", async () => {
      let calls = 0;
      await using peer = await open({
        echo: () => {
          calls++;
          return {};
        },
        async *chat() {
          calls++;
          yield {};
        },
      });
      const reason = new Error("not today");
      const signal = AbortSignal.abort(reason);
      const expected = { code: Code.Canceled, reason: "canceled", cause: reason };
      expect(await failure(peer.client.echo({}, { signal }))).toMatchObject(expected);
      expect(await failure(all(peer.client.chat([], { signal })))).toMatchObject(expected);
      // The next call shows that nothing of these was sent before it.
      await peer.client.inspect({});
      expect(calls).toBe(0);
      await peer.channel.close({ graceMs: 60_000 });
    });

    test("a signal ends a unary call at once, with its reason as cause and in the text", async () => {
      const begun = Promise.withResolvers<void>();
      await using peer = await open({
        hang: () => {
          begun.resolve();
          return new Promise<never>(() => {});
        },
      });
      const control = new AbortController();
      const call = peer.client.hang({}, { signal: control.signal });
      await begun.promise;
      const reason = new Error("enough");
      control.abort(reason);
      const error = RpcError.from(await failure(call));
      expect(error).toMatchObject({ code: Code.Canceled, reason: "canceled", peer: peer.channel.target });
      expect(error.rawMessage).toBe("the call was canceled: enough");
      expect(error.cause).toBe(reason);
    });

    test("AbortSignal.timeout cancels; only timeoutMs is a deadline", async () => {
      await using peer = await open();
      const error = await failure(peer.client.hang({}, { signal: AbortSignal.timeout(5) }));
      expect(error).toMatchObject({ code: Code.Canceled, cause: { name: "TimeoutError" } });
    });

    test("a signal ends a stream: reading fails, what waits is dropped, the handler is told", async () => {
      const ended = Promise.withResolvers<unknown>();
      await using peer = await open({
        async *split(_, context) {
          void fired(context.signal).then(ended.resolve);
          yield { number: 1n };
          yield { number: 2n };
          await fired(context.signal);
        },
      });
      const control = new AbortController();
      const responses = peer.client.split({}, { signal: control.signal });
      expect((await responses.next()).value?.number).toBe(1n);
      control.abort();
      expect(await failure(responses.next())).toMatchObject({ code: Code.Canceled, cause: control.signal.reason });
      expect(await responses.next()).toEqual({ done: true, value: undefined });
      expect(await ended.promise).toMatchObject({ code: Code.Canceled });
    });

    test("settled calls leave no listener on the signal, however they ended", async () => {
      await using peer = await open();
      const control = new AbortController();
      const { signal } = control;
      const { client } = peer;
      await client.echo({}, { signal });
      await failure(client.fail({ code: 5 }, { signal }));
      await failure(client.hang({}, { signal, timeoutMs: 2 }));
      await all(client.split({ count: 3 }, { signal }));
      await failure(all(client.split({ count: 3, failAfter: 1 }, { signal })));
      for await (const _ of client.split({ count: 3 }, { signal })) break;
      await client.join([{}], { signal });
      expect(listeners(signal)).toBe(0);
      const hanging = failure(client.hang({}, { signal }));
      expect(listeners(signal)).toBe(1);
      control.abort();
      await hanging;
      expect(listeners(signal)).toBe(0);
    });

    const ways: [string, (responses: ResponseStream<EchoResponse>) => Promise<unknown>][] = [
      [
        "break",
        async (responses) => {
          for await (const _ of responses) break;
        },
      ],
      [
        "a thrown error",
        async (responses) => {
          const thrown = new Error("mine");
          const loop = async (): Promise<void> => {
            for await (const _ of responses) throw thrown;
          };
          expect(await failure(loop())).toBe(thrown);
        },
      ],
      ["return()", async (responses) => expect(await responses.return()).toEqual({ done: true, value: undefined })],
      ["throw()", async (responses) => failure(responses.throw(new Error("x")) as Promise<unknown>)],
      ["disposal", async (responses) => responses[Symbol.asyncDispose]()],
    ];
    test.each(ways)("%s ends the call: the handler's signal fires and its finally runs", async (_, leave) => {
      const told = Promise.withResolvers<unknown>();
      const cleaned = Promise.withResolvers<void>();
      await using peer = await open({
        async *split(_, context) {
          try {
            void fired(context.signal).then(told.resolve);
            for (let number = 0n; ; number++) {
              yield { number };
              if (context.signal.aborted) return;
              await turns(1);
            }
          } finally {
            cleaned.resolve();
          }
        },
      });
      const responses = peer.client.split({});
      await responses.next();
      await leave(responses);
      expect(await responses.next()).toEqual({ done: true, value: undefined });
      expect(await told.promise).toMatchObject({ code: Code.Canceled });
      await cleaned.promise;
      // The connection goes on.
      expect(await peer.client.echo({ text: "next" })).toMatchObject({ text: "next" });
    });

    test("leaving while a read waits ends that read too", async () => {
      await using peer = await open({
        async *split(_, context) {
          await fired(context.signal);
          yield {};
        },
      });
      const responses = peer.client.split({});
      const waiting = responses.next();
      await responses.return();
      expect(await waiting).toEqual({ done: true, value: undefined });
    });

    test("leaving a stream that was never read ends the call", async () => {
      const begun = Promise.withResolvers<void>();
      const told = Promise.withResolvers<unknown>();
      await using peer = await open({
        async *split(_, context) {
          begun.resolve();
          told.resolve(await fired(context.signal));
          yield {};
        },
      });
      const responses = peer.client.split({});
      await begun.promise;
      await responses.return();
      expect(await told.promise).toMatchObject({ code: Code.Canceled });
    });

    test("a handler that answers with a push stream finds it left when nobody reads", async () => {
      const pushed = createPushStream<object>();
      const told = Promise.withResolvers<unknown>();
      await using peer = await open({
        split: (_, context) => {
          void fired(context.signal).then(told.resolve);
          return pushed;
        },
      });
      void pushed.push({});
      for await (const _ of peer.client.split({})) break;
      await told.promise;
      expect(await failure(pushed.push({}))).toMatchObject({ code: Code.Canceled });
    });

    test("an error that nobody reads is not an unhandled rejection", async () => {
      await using peer = await open();
      peer.client.split({ count: 3, failAfter: 1 });
      peer.client.chat([], { signal: AbortSignal.abort() });
      await peer.client.echo({});
      await turns();
    });
  });
}
