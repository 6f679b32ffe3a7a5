// Errors: what a client gets of whatever went wrong in a handler, in a message or before any handler ran.
import { create } from "@bufbuild/protobuf";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { EchoRequestSchema, EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, failure, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function failures(open: Open): void {
  describe("errors", () => {
    test("every code arrives with message, method and peer", async () => {
      await using peer = await open();
      for (const code of Object.values(Code)) {
        const error = RpcError.from(await failure(peer.client.fail({ code, message: `no ${code}: ü` })));
        expect(error).toMatchObject({
          code,
          rawMessage: `no ${code}: ü`,
          method: "/guestwire.test.v1.EchoService/Fail",
          peer: peer.channel.target,
          reason: undefined,
          details: [],
        });
        expect(error.cause).toBeUndefined();
      }
    });

    test("details arrive", async () => {
      await using peer = await open();
      const error = RpcError.from(await failure(peer.client.fail({ code: 9, message: "x", detail: "hint" })));
      expect(error.findDetails(EchoRequestSchema)).toEqual([create(EchoRequestSchema, { text: "hint" })]);
    });

    test("whatever else is thrown is Unknown, with its text", async () => {
      const thrown: unknown[] = [
        new TypeError("boom"),
        "a text",
        undefined,
        null,
        Object.create(null),
        { message: "m" },
      ];
      await using peer = await open({
        async fail(request) {
          throw thrown[request.code];
        },
      });
      const texts = ["boom", "a text", "undefined", "null", "something was thrown that has no text", "m"];
      for (const [code, rawMessage] of texts.entries()) {
        expect(await failure(peer.client.fail({ code }))).toMatchObject({ code: Code.Unknown, rawMessage });
      }
    });

    test("a code that is none is Unknown, never success", async () => {
      await using peer = await open({
        fail(request) {
          throw new RpcError(request.code as Code, "odd");
        },
      });
      for (const code of [0, 17, 300, -1]) {
        expect(await failure(peer.client.fail({ code }))).toMatchObject({ code: Code.Unknown, rawMessage: "odd" });
      }
    });

    test("the handler's own cause, reason and method stay with it", async () => {
      await using peer = await open({
        fail() {
          const cause = new Error("secret");
          throw new RpcError(Code.Unavailable, "x", { reason: "canceled", method: "/a.B/C", peer: "p", cause });
        },
      });
      const error = RpcError.from(await failure(peer.client.fail({})));
      expect([error.code, error.reason, error.cause]).toEqual([Code.Unavailable, undefined, undefined]);
      expect([error.method, error.peer]).toEqual(["/guestwire.test.v1.EchoService/Fail", peer.channel.target]);
    });

    test("a stream gives what came before its error, then the error, then its end", async () => {
      await using peer = await open();
      const responses = peer.client.split({ count: 5, failAfter: 2 });
      expect((await responses.next()).value?.number).toBe(0n);
      expect((await responses.next()).value?.number).toBe(1n);
      expect(await failure(responses.next())).toMatchObject({ code: Code.DataLoss, rawMessage: "failed after 2" });
      expect(await responses.next()).toEqual({ done: true, value: undefined });
    });

    test("streams fail also where the handler throws before it gives one", async () => {
      await using peer = await open({
        split() {
          throw new RpcError(Code.NotFound, "no stream");
        },
        async join() {
          throw new RpcError(Code.Aborted, "no join");
        },
        chat: () => undefined as never,
      });
      expect(await failure(all(peer.client.split({})))).toMatchObject({ code: Code.NotFound, rawMessage: "no stream" });
      expect(await failure(peer.client.join([]))).toMatchObject({ code: Code.Aborted, rawMessage: "no join" });
      expect(await failure(all(peer.client.chat([])))).toMatchObject({
        code: Code.Internal,
        rawMessage: "the handler of /guestwire.test.v1.EchoService/Chat returned no iterable of responses",
      });
    });

    test("a handler that returns no message, or one that cannot be encoded, is Internal", async () => {
      const answers: unknown[] = [undefined, null, 7, { number: "not a number" }];
      await using peer = await open({
        echo: ({ number }) => answers[Number(number)] as never,
        async *split() {
          yield {};
          yield { text: 7 as never };
        },
      });
      for (const number of answers.keys()) {
        expect(await failure(peer.client.echo({ number: BigInt(number) }))).toMatchObject({
          code: Code.Internal,
          rawMessage: expect.stringContaining("/guestwire.test.v1.EchoService/Echo"),
        });
      }
      const responses = peer.client.split({});
      expect((await responses.next()).done).toBe(false);
      expect(await failure(responses.next())).toMatchObject({ code: Code.Internal });
    });

    test("a request that cannot be encoded is InvalidArgument, names the field and reaches nobody", async () => {
      let calls = 0;
      await using peer = await open({
        echo: () => {
          calls++;
          return {};
        },
        async *split() {
          calls++;
          yield {};
        },
      });
      const wrong = { text: 7 as unknown as string };
      const expected = { code: Code.InvalidArgument, rawMessage: expect.stringContaining("text") };
      expect(await failure(peer.client.echo(wrong))).toMatchObject(expected);
      expect(await failure(all(peer.client.split({ count: "x" as never })))).toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringContaining("count"),
      });
      expect(await failure(peer.client.join([{}, wrong]))).toMatchObject(expected);
      const intercepted = createClient(EchoService, peer.channel, { interceptors: [(next) => (call) => next(call)] });
      for (const client of [peer.client, intercepted]) {
        for (const nothing of [undefined, null, 7]) {
          const invalid = { code: Code.InvalidArgument };
          expect(await failure(client.echo(nothing as never))).toMatchObject(invalid);
          expect(await failure(all(client.split(nothing as never)))).toMatchObject(invalid);
          expect(await failure(client.join([nothing as never]))).toMatchObject(invalid);
        }
      }
      expect(await failure(peer.client.join(7 as never))).toMatchObject({ code: Code.InvalidArgument });
      expect(calls).toBe(0);
      expect(await peer.client.join([{ text: "still" }])).toMatchObject({ text: "still" });
    });

    test("a method without a handler and an unknown service are Unimplemented, by name", async () => {
      await using peer = await open({ echo: undefined, split: undefined } as never);
      const missing = { code: Code.Unimplemented, rawMessage: "method Echo", peer: peer.channel.target };
      expect(await failure(peer.client.echo({}))).toMatchObject(missing);
      expect(await failure(all(peer.client.split({})))).toMatchObject({ code: Code.Unimplemented });
      const renamed = { ...EchoService, typeName: "guestwire.test.v1.Other" };
      const methods = Object.fromEntries(
        Object.entries(EchoService.method).map(([key, method]) => [key, { ...method, parent: renamed }]),
      );
      const other = createClient({ ...renamed, methods: Object.values(methods) } as typeof EchoService, peer.channel);
      expect(await failure(other.echo({}))).toMatchObject({
        code: Code.Unimplemented,
        rawMessage: "service guestwire.test.v1.Other",
        method: "/guestwire.test.v1.Other/Echo",
      });
      expect(await failure(all(other.chat([])))).toMatchObject({ code: Code.Unimplemented });
    });

    test("the error is an object of the client's own", async () => {
      const original = new RpcError(Code.Internal, "x");
      await using peer = await open({
        fail() {
          throw original;
        },
      });
      expect(await failure(peer.client.fail({}))).not.toBe(original);
    });
  });
}
