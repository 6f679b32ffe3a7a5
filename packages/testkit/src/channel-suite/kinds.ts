// The four kinds of calls, with every form of messages and streams.
import { create } from "@bufbuild/protobuf";
import { createPushStream } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { EchoRequestSchema } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, bytes, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function kinds(open: Open): void {
  describe("the four kinds", () => {
    test("unary", async () => {
      await using peer = await open();
      const request = { text: "héllo 🌍", payload: bytes("raw"), number: -(2n ** 63n) };
      expect(await peer.client.echo(request)).toMatchObject(request);
      expect(await peer.client.echo({})).toMatchObject({ text: "", payload: new Uint8Array(0), number: 0n });
      expect(await peer.client.echo(create(EchoRequestSchema, { text: "x" }))).toMatchObject({ text: "x" });
    });

    test("server streaming, from none to many", async () => {
      await using peer = await open();
      for (const count of [0, 1, 500]) {
        const numbers = (await all(peer.client.split({ count }))).map(({ number }) => number);
        expect(numbers).toEqual(Array.from({ length: count }, (_, i) => BigInt(i)));
      }
    });

    test("client streaming, from none to many, of any iterable", async () => {
      await using peer = await open();
      expect(await peer.client.join([])).toMatchObject({ number: 0n, text: "" });
      expect(await peer.client.join([{ text: "a" }, { text: "b" }])).toMatchObject({ text: "ab" });
      async function* numbers() {
        for (let number = 1n; number <= 500n; number++) yield { number };
      }
      expect(await peer.client.join(numbers())).toMatchObject({ number: 125_250n });
      const pushed = createPushStream<{ text: string }>();
      const joined = peer.client.join(pushed);
      for (const text of ["x", "y", "z"]) await pushed.push({ text });
      pushed.end();
      expect(await joined).toMatchObject({ text: "xyz" });
    });

    test("both ways, one answer for each question", async () => {
      await using peer = await open();
      const questions = createPushStream<{ text: string }>();
      const answers = peer.client.chat(questions);
      for (const text of ["one", "two", "three"]) {
        await questions.push({ text });
        expect((await answers.next()).value?.text).toBe(text);
      }
      questions.end();
      expect(await answers.next()).toEqual({ done: true, value: undefined });
      expect(await answers.next()).toEqual({ done: true, value: undefined });
    });

    test("both ways, 500 messages without waiting for answers", async () => {
      await using peer = await open();
      const requests = Array.from({ length: 500 }, (_, i) => ({ number: BigInt(i) }));
      expect((await all(peer.client.chat(requests))).map(({ number }) => number)).toEqual(
        requests.map(({ number }) => number),
      );
    });

    test("handlers may answer with plain values and synchronous iterables", async () => {
      const late: PromiseLike<{ text: string }> = {
        // biome-ignore lint/suspicious/noThenProperty: a promise that is no Promise is what this is about.
        then: (resolve) => Promise.resolve({ text: "late" }).then(resolve),
      };
      await using peer = await open({
        echo: () => late as Promise<{ text: string }>,
        split: () => [{ number: 7n }, { number: 8n }],
        join: () => ({ text: "at once" }),
        chat: () => new Set([{ text: "only" }]),
      });
      expect(await peer.client.echo({})).toMatchObject({ text: "late" });
      expect((await all(peer.client.split({}))).map(({ number }) => number)).toEqual([7n, 8n]);
      expect(await peer.client.join([])).toMatchObject({ text: "at once" });
      expect((await all(peer.client.chat([]))).map(({ text }) => text)).toEqual(["only"]);
    });

    test("large messages in both directions", async () => {
      await using peer = await open();
      const payload = new Uint8Array(1 << 20).map((_, i) => i * 31);
      expect(Buffer.compare((await peer.client.echo({ payload })).payload, payload)).toBe(0);
      const [first, second] = await all(peer.client.chat([{ payload }, { payload, text: "b" }]));
      expect(Buffer.compare(first?.payload as Uint8Array, payload)).toBe(0);
      expect(second?.text).toBe("b");
    });

    test("many calls at once get their own answers", async () => {
      await using peer = await open();
      const calls = Array.from({ length: 200 }, async (_, i) => {
        if (i % 2 === 0) return (await peer.client.echo({ number: BigInt(i) })).number;
        return (await all(peer.client.chat([{ number: BigInt(i) }])))[0]?.number;
      });
      expect(await Promise.all(calls)).toEqual(calls.map((_, i) => BigInt(i)));
    });

    test("neither side sees the other's objects", async () => {
      let seen: object | undefined;
      const answer = { text: "answer", payload: bytes("a") };
      await using peer = await open({
        echo: (request) => {
          seen = request;
          request.text = "changed";
          request.payload.fill(0);
          return answer;
        },
      });
      const request = create(EchoRequestSchema, { text: "mine", payload: bytes("abc") });
      const response = await peer.client.echo(request);
      expect(seen).not.toBe(request);
      expect(request).toMatchObject({ text: "mine", payload: bytes("abc") });
      response.text = "mine now";
      response.payload.fill(0);
      expect(answer).toEqual({ text: "answer", payload: bytes("a") });
    });

    test("the handler of a stream begins when the call is made, not when it is read", async () => {
      const begun = Promise.withResolvers<void>();
      await using peer = await open({
        async *split() {
          begun.resolve();
          yield {};
        },
      });
      const responses = peer.client.split({});
      await begun.promise;
      expect(await all(responses)).toHaveLength(1);
    });
  });
}
