// Interceptors on both sides of a call.
import { Code, createClient, createPushStream, type Interceptor, RpcError } from "@guestwire/rpc";
import { describe, expect, test } from "vitest";
import { turns } from "../fake-clock.js";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { all, failure, fired, listeners, type Open } from "./harness.js";

/** Declares these tests for one kind of channel. */
export function interceptors(open: Open): void {
  describe("interceptors", () => {
    const tracing =
      (log: string[], name: string): Interceptor =>
      (next) =>
      async (call) => {
        log.push(`${name} ${call.method.name}`);
        const reply = await next(call);
        log.push(`${name} ${reply.stream ? "stream" : "message"}`);
        return reply;
      };

    test("run in order, outermost first, on both sides", async () => {
      const log: string[] = [];
      const server = { interceptors: [tracing(log, "s1"), tracing(log, "s2")] };
      await using peer = await open({}, { client: { interceptors: [tracing(log, "c1")] }, server });
      const client = createClient(EchoService, peer.channel, { interceptors: [tracing(log, "c0")] });
      const { echo, chat } = client;
      expect(await echo({ text: "x" })).toMatchObject({ text: "x" });
      expect(log.splice(0)).toEqual([
        ...["c0 Echo", "c1 Echo", "s1 Echo", "s2 Echo"],
        ...["s2 message", "s1 message", "c1 message", "c0 message"],
      ]);
      expect(await all(chat([{}]))).toHaveLength(1);
      expect(log.toSorted()).toEqual(
        ["c0", "c1", "s1", "s2"].flatMap((name) => [`${name} Chat`, `${name} stream`]).toSorted(),
      );
      expect(await client.join([{ text: "j" }])).toMatchObject({ text: "j" });
      expect(await all(client.split({ count: 2 }))).toHaveLength(2);
    });

    async function* tapped<T>(messages: AsyncIterable<T>, ended: () => void): AsyncIterable<T> {
      try {
        for await (const message of messages) yield message;
      } finally {
        ended();
      }
    }

    test("`break` through generators on both sides cancels the call and cleans up", async () => {
      const ended: string[] = [];
      const cleaned = Promise.withResolvers<void>();
      const tap =
        (name: string): Interceptor =>
        (next) =>
        async (call) => {
          const reply = await next(call);
          return reply.stream ? { ...reply, messages: tapped(reply.messages, () => ended.push(name)) } : reply;
        };
      await using peer = await open(
        {
          async *split(_, context) {
            try {
              yield {};
              await fired(context.signal);
            } finally {
              cleaned.resolve();
            }
          },
        },
        { client: { interceptors: [tap("client")] }, server: { interceptors: [tap("server")] } },
      );
      for await (const _ of peer.client.split({})) break;
      await cleaned.promise;
      await turns();
      expect(ended.toSorted()).toEqual(["client", "server"]);
    });

    test("a deadline and a signal end a call that waits in an interceptor, on either side", async () => {
      const never: Interceptor = () => () => new Promise(() => {});
      for (const side of ["client", "server"] as const) {
        await using peer = await open({}, { [side]: { interceptors: [never] } });
        const { client } = peer;
        const late = { code: Code.DeadlineExceeded, reason: "deadline" };
        expect(await failure(client.echo({}, { timeoutMs: 5 }))).toMatchObject(late);
        expect(await failure(all(client.split({}, { timeoutMs: 5 })))).toMatchObject(late);
        expect(await failure(client.join([], { timeoutMs: 5 }))).toMatchObject(late);
        const control = new AbortController();
        const { signal } = control;
        const calls = [client.echo({}, { signal }), all(client.chat([], { signal }))].map(failure);
        control.abort("stop");
        for (const error of await Promise.all(calls)) {
          expect(error).toMatchObject({ code: Code.Canceled, cause: "stop", reason: "canceled" });
        }
        expect(listeners(signal)).toBe(0);
      }
    });

    test("may change requests and responses of every kind, on both sides", async () => {
      const mark =
        (name: string): Interceptor =>
        (next) =>
        async (call) => {
          const change = (message: object): never => {
            const text = (message as { text?: string }).text;
            return (text === undefined ? message : { ...message, text: `${text}${name}` }) as never;
          };
          async function* changed(messages: AsyncIterable<object>) {
            for await (const message of messages) yield change(message);
          }
          const reply = await next(
            call.stream ? { ...call, messages: changed(call.messages) } : { ...call, message: change(call.message) },
          );
          return reply.stream
            ? { ...reply, messages: changed(reply.messages) }
            : { ...reply, message: change(reply.message) };
        };
      await using peer = await open(
        {},
        { client: { interceptors: [mark("c")] }, server: { interceptors: [mark("s")] } },
      );
      expect(await peer.client.echo({ text: ">" })).toMatchObject({ text: ">cssc" });
      expect(await peer.client.join([{ text: ">" }, { text: ">" }])).toMatchObject({ text: ">cs>cssc" });
      expect((await all(peer.client.chat([{ text: ">" }])))[0]).toMatchObject({ text: ">cssc" });
    });

    test("of the server refuse and replace calls before any handler", async () => {
      let calls = 0;
      const auth: Interceptor = (next) => async (call) => {
        if (call.metadata.get("token") !== "secret") throw new RpcError(Code.Unauthenticated, "who are you?");
        return next(call);
      };
      await using peer = await open(
        {
          echo: () => {
            calls++;
            return {};
          },
        },
        { server: { interceptors: [auth] } },
      );
      const refused = { code: Code.Unauthenticated, rawMessage: "who are you?" };
      expect(await failure(peer.client.echo({}))).toMatchObject(refused);
      expect(await failure(all(peer.client.split({ count: 1 })))).toMatchObject(refused);
      expect(await failure(peer.client.join([]))).toMatchObject(refused);
      expect(calls).toBe(0);
      await peer.client.echo({}, { metadata: { Token: "secret" } });
      expect(calls).toBe(1);
    });

    test("a handler's own stream is told at once that its reader left, through any interceptor", async () => {
      const told = Promise.withResolvers<unknown>();
      const pushed = createPushStream<object>();
      const tap: Interceptor = (next) => async (call) => {
        const reply = await next(call);
        return reply.stream ? { ...reply, messages: tapped(reply.messages, () => {}) } : reply;
      };
      await using peer = await open(
        {
          split: (_, context) => {
            void fired(context.signal).then(told.resolve);
            return pushed;
          },
        },
        { server: { interceptors: [tap] } },
      );
      void pushed.push({});
      for await (const _ of peer.client.split({})) break;
      await told.promise;
      expect(await failure(pushed.push({}))).toMatchObject({ code: Code.Canceled });
    });
  });
}
