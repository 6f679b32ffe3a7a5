// What an authorize hook is told, when it is asked, and that nothing but a clear yes lets a call through.
import { describe, expect, test, vi } from "vitest";
import type { Authorize } from "./authorize.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { createInProcessChannel } from "./in-process.js";
import type { Interceptor } from "./interceptor.js";
import { createRouter, type Handlers } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, Words, words } from "./words.test.support.js";

function open(
  authorize: unknown,
  more: { interceptors?: Interceptor[]; handlers?: Partial<Handlers<typeof Words>> } = {},
) {
  const { interceptors = [], handlers = {} } = more;
  const router = createRouter({ authorize: authorize as Authorize, interceptors });
  router.service(Words, { ...words, ...handlers });
  return createClient(Words, createInProcessChannel(router));
}

const kinds: [string, (client: ReturnType<typeof open>) => Promise<unknown>][] = [
  ["unary", (client) => client.shout({ value: "a" })],
  ["server streaming", (client) => all(client.count({ value: 2 }))],
  ["client streaming", (client) => client.join([{ value: "a" }])],
  ["bidi streaming", (client) => all(client.chat([{ value: "a" }]))],
];

describe.each(kinds)("%s", (_, call) => {
  test.each([
    ["at once", true],
    ["later", Promise.resolve(true)],
  ])("true %s lets the call through", async (_, decision) => {
    const plain = createClient(Words, createInProcessChannel(createRouter().service(Words, words)));
    expect(await call(open(() => decision))).toEqual(await call(plain));
  });

  test.each([
    ["false", () => false, Code.PermissionDenied],
    ["false, later", async () => false, Code.PermissionDenied],
    ["nothing", () => undefined, Code.Internal],
    ["nothing, later", async () => undefined, Code.Internal],
    ["a truthy value", () => "yes", Code.Internal],
    ["a value, later", async () => 1, Code.Internal],
  ])("%s refuses it before interceptors and handlers", async (_, authorize, code) => {
    const touched = vi.fn();
    const interceptor: Interceptor = (next) => async (given) => {
      touched();
      return next(given);
    };
    const handlers = Object.fromEntries(Object.keys(words).map((name) => [name, touched]));
    const error = await failure(call(open(authorize, { interceptors: [interceptor], handlers })));
    expect(error).toMatchObject({ code });
    expect((error as RpcError).rawMessage).toContain("/t.Words/");
    expect(touched).not.toHaveBeenCalled();
  });

  test.each([
    ["throws", () => raise(new RpcError(Code.Unauthenticated, "show a certificate"))],
    ["rejects", async () => raise(new RpcError(Code.Unauthenticated, "show a certificate"))],
  ])("an RpcError that it %s is the answer", async (_, authorize) => {
    const error = await failure(call(open(authorize)));
    expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: "show a certificate" });
  });

  test.each([
    ["throws", () => raise(Object.assign(new Error("no file /etc/secret"), { code: "ENOENT" }))],
    ["rejects", async () => raise("password=hunter2")],
  ])("another thing that it %s refuses the call and tells nothing of it", async (_, authorize) => {
    const error = (await failure(call(open(authorize)))) as RpcError;
    expect(error.code).toBe(Code.Internal);
    expect(error.message).not.toMatch(/secret|hunter/);
  });
});

function raise(error: unknown): never {
  throw error;
}

test("it is told the peer, the method by the schema's names, and the context", async () => {
  const seen: unknown[] = [];
  const authorize: Authorize = (peer, method, context) => {
    seen.push(peer.address, method, context.metadata.get("k"), context.path);
    return true;
  };
  await open(authorize).shout({ value: "a" }, { metadata: { k: "v" } });
  expect(seen).toEqual([
    "in-process:",
    { path: "/t.Words/Shout", service: "t.Words", name: "Shout", kind: "unary", idempotency: "unknown" },
    "v",
    "/t.Words/Shout",
  ]);
});

test("a stream is decided before its first message is taken from the client's stream", async () => {
  const pulled = vi.fn();
  async function* requests() {
    pulled();
    yield { value: "a" };
  }
  const gate = Promise.withResolvers<boolean>();
  let readWhenAsked: boolean | undefined;
  const client = open(
    () => {
      return gate.promise;
    },
    {
      handlers: {
        async join(given) {
          readWhenAsked = true;
          for await (const _ of given);
          return { value: "done" };
        },
      },
    },
  );
  const answer = client.join(requests());
  await new Promise((resolve) => setImmediate(resolve));
  expect(readWhenAsked).toBeUndefined();
  gate.resolve(true);
  expect(await answer).toMatchObject({ value: "done" });
});

test("a call that was given up while it was decided does not reach its handler", async () => {
  const gate = Promise.withResolvers<boolean>();
  const asked = Promise.withResolvers<void>();
  const shout = vi.fn(words.shout);
  const control = new AbortController();
  const client = open(
    () => {
      asked.resolve();
      return gate.promise;
    },
    { handlers: { shout } },
  );
  const answer = failure(client.shout({ value: "a" }, { signal: control.signal }));
  await asked.promise;
  control.abort();
  expect(await answer).toMatchObject({ code: Code.Canceled });
  gate.resolve(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(shout).not.toHaveBeenCalled();
});

test("the router's hook and the service's must both allow, in this order", async () => {
  const asked: string[] = [];
  const hook = (name: string, decision: boolean | Promise<boolean>): Authorize => {
    return () => {
      asked.push(name);
      return decision;
    };
  };
  const make = (outer: boolean | Promise<boolean>, inner: boolean) =>
    createClient(
      Words,
      createInProcessChannel(
        createRouter({ authorize: hook("router", outer) }).service(Words, words, { authorize: hook("service", inner) }),
      ),
    ).shout({ value: "a" });
  expect(await make(true, true)).toMatchObject({ value: "A" });
  expect(await failure(make(Promise.resolve(true), false))).toMatchObject({ code: Code.PermissionDenied });
  expect(await failure(make(false, true))).toMatchObject({ code: Code.PermissionDenied });
  expect(asked).toEqual(["router", "service", "router", "service", "router"]);
});

test("a method without a handler is asked for too: who may not call learns nothing", async () => {
  const router = createRouter({ authorize: () => false }).service(Words, {});
  const client = createClient(Words, createInProcessChannel(router));
  expect(await failure(client.shout({}))).toMatchObject({ code: Code.PermissionDenied });
});

test("a hook that is no function is refused when the service is registered", () => {
  expect(() => createRouter({ authorize: true as never }).service(Words, words)).toThrow(/authorize is not a function/);
});
