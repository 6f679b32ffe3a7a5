// Bearer tokens from client to server, what each side refuses, and where a token is never sent.
import { describe, expect, test, vi } from "vitest";
import { bearerIdentity, bearerToken, equalTokens, requireBearer, type TokenSource } from "./bearer.js";
import type { Channel } from "./channel.js";
import { createClient } from "./client.js";
import { Code } from "./code.js";
import { createContextKey } from "./context-values.js";
import { withDefaults } from "./defaults.js";
import { createInProcessChannel } from "./in-process.js";
import type { Interceptor } from "./interceptor.js";
import { Metadata } from "./metadata.js";
import { createRouter } from "./router.js";
import { RpcError } from "./rpc-error.js";
import { all, failure, Words, words } from "./words.test.support.js";

const user = createContextKey<string | undefined>(undefined);
const known = (token: string): string | undefined => (equalTokens(token, "good") ? "ann" : undefined);

function open(server: Interceptor, client: Interceptor[] = []) {
  const router = createRouter({ interceptors: [server] }).service(Words, {
    ...words,
    shout: (_, { values }) => ({ value: values.get(user) ?? String(values.get(bearerIdentity)) }),
  });
  return createClient(Words, createInProcessChannel(router), { interceptors: client });
}

test("a token reaches the server, and the handler knows whom it stands for", async () => {
  expect(await open(requireBearer(known, { key: user }), [bearerToken("good")]).shout({})).toMatchObject({
    value: "ann",
  });
  expect(await open(requireBearer(known), [bearerToken(async () => "good")]).shout({})).toMatchObject({ value: "ann" });
});

test("streams carry it too", async () => {
  const client = open(requireBearer(known), [bearerToken("good")]);
  expect(await all(client.count({ value: 2 }))).toHaveLength(2);
  expect(await client.join([{ value: "a" }])).toMatchObject({ value: "a" });
});

describe("a server refuses", () => {
  test.each([
    ["no authorization", {}, "the call needs a bearer token"],
    ["another scheme", { authorization: "Basic Zm9v" }, "the call's authorization is not a bearer token"],
    ["nothing behind the scheme", { authorization: "Bearer" }, "the bearer token is malformed"],
    ["two words", { authorization: "Bearer good good" }, "the bearer token is malformed"],
    ["control characters", { authorization: "Bearer go\u0001od" }, "the bearer token is malformed"],
    ["no scheme", { authorization: "good" }, "the call's authorization is not a bearer token"],
    ["two of them", { authorization: ["Bearer good", "Bearer good"] }, "the call has more than one authorization"],
    ["an unknown token", { authorization: "Bearer bad" }, "the bearer token was refused"],
  ])("%s", async (_, metadata, text) => {
    const error = (await failure(open(requireBearer(known)).shout({}, { metadata }))) as RpcError;
    expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: text });
  });

  test.each([undefined, null, false])("a token for which verify gives %s", async (nobody) => {
    const client = open(
      requireBearer(() => nobody as undefined),
      [bearerToken("t")],
    );
    expect(await failure(client.shout({}))).toMatchObject({ code: Code.Unauthenticated });
  });

  test("a token for which verify fails, and tells nothing of why", async () => {
    const verify = () => {
      throw new Error("signature by key 7 expired");
    };
    const error = (await failure(open(requireBearer(verify), [bearerToken("t")]).shout({}))) as RpcError;
    expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: "the bearer token was refused" });
  });

  test("with verify's own error where it is an RpcError", async () => {
    const verify = async () => {
      throw new RpcError(Code.Unavailable, "the directory is down");
    };
    const error = await failure(open(requireBearer(verify), [bearerToken("t")]).shout({}));
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "the directory is down" });
  });
});

test.each(["bearer good", "BEARER  good", " Bearer good "])(
  "the scheme's case and spaces do not matter: %j",
  async (text) => {
    const answer = await open(requireBearer(known)).shout({}, { metadata: { authorization: text } });
    expect(answer).toMatchObject({ value: "ann" });
  },
);

test("paths that are excepted need no token", async () => {
  const client = open(requireBearer(known, { except: (path) => path === "/t.Words/Count" }));
  expect(await all(client.count({ value: 1 }))).toHaveLength(1);
  expect(await failure(client.shout({}))).toMatchObject({ code: Code.Unauthenticated });
});

describe("a provider", () => {
  const server = () => open(requireBearer(known), [bearerToken(source)]);
  let tokens: (string | Error)[] = [];
  const source = vi.fn((_: { rejected: string | undefined }) => {
    const token = tokens.shift() ?? "none";
    if (token instanceof Error) throw token;
    return token;
  });

  test("is asked again, told the refused token, and the unary call is repeated once", async () => {
    source.mockClear();
    tokens = ["old", "good"];
    expect(await server().shout({})).toMatchObject({ value: "ann" });
    expect(source.mock.calls).toEqual([[{ rejected: undefined }], [{ rejected: "old" }]]);
  });

  test("is not asked a third time", async () => {
    source.mockClear();
    tokens = ["old", "older", "good"];
    expect(await failure(server().shout({}))).toMatchObject({ code: Code.Unauthenticated });
    expect(source).toHaveBeenCalledTimes(2);
  });

  test("that has no other token ends the call with the server's error, without another call", async () => {
    tokens = ["old", "old"];
    const calls = vi.fn(known);
    const client = open(requireBearer(calls), [bearerToken(source)]);
    expect(await failure(client.shout({}))).toMatchObject({ rawMessage: "the bearer token was refused" });
    expect(calls).toHaveBeenCalledOnce();
  });

  test("is asked once for a stream, which may have sent something already", async () => {
    source.mockClear();
    tokens = ["old", "good"];
    expect(await failure(all(server().count({ value: 1 })))).toMatchObject({ code: Code.Unauthenticated });
    expect(source).toHaveBeenCalledOnce();
  });

  test("is not asked again after another error", async () => {
    source.mockClear();
    tokens = ["good", "good"];
    const router = createRouter().service(Words, {});
    const client = createClient(Words, createInProcessChannel(router), { interceptors: [bearerToken(source)] });
    expect(await failure(client.shout({}))).toMatchObject({ code: Code.Unimplemented });
    expect(source).toHaveBeenCalledOnce();
  });

  test.each([
    [new Error("disk full"), Code.Unauthenticated, "no bearer token could be had"],
    [new RpcError(Code.Unavailable, "the issuer is down"), Code.Unavailable, "the issuer is down"],
  ])("that fails ends the call: %s", async (fault, code, text) => {
    tokens = [fault];
    expect(await failure(server().shout({}))).toMatchObject({ code, rawMessage: text });
  });

  test("that gives no token ends the call, and the text does not show what it gave", async () => {
    tokens = ["two words"];
    const error = (await failure(server().shout({}))) as RpcError;
    expect(error).toMatchObject({
      code: Code.Unauthenticated,
      rawMessage: "the bearer token is not visible ASCII text",
    });
  });
});

test("a call's own authorization stays", async () => {
  const client = open(requireBearer(known), [bearerToken("bad")]);
  expect(await client.shout({}, { metadata: { authorization: "Bearer good" } })).toMatchObject({ value: "ann" });
});

test.each<[unknown, string]>([
  ["", "empty"],
  ["a b", "not visible ASCII text"],
  [7, "of type number"],
])("bearerToken(%j) is refused at once", (token, fault) => {
  expect(() => bearerToken(token as TokenSource)).toThrow(`the bearer token is ${fault}`);
});

describe("over a channel in plain text", () => {
  const sent = vi.fn();
  const channelTo = (target: string, secure?: boolean): Channel => ({
    target,
    secure,
    unary: async (_, __, options) => {
      sent(new Metadata(options?.metadata).toJSON());
      return {} as never;
    },
    stream: () => {
      throw new Error("not here");
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  });
  const call = (channel: Channel, interceptor: Interceptor) =>
    createClient(Words, withDefaults(channel, { interceptors: [interceptor] })).shout({});

  test.each(["tcp://10.0.0.1:80", "dns:///api.example:443", "pool", "tcp://127.0.0.1:1,tcp://10.0.0.1:2"])(
    "no token goes to %s",
    async (target) => {
      sent.mockClear();
      const error = (await failure(call(channelTo(target), bearerToken("secret")))) as RpcError;
      expect(error.code).toBe(Code.FailedPrecondition);
      expect(error.message).toContain(target);
      expect(error.message).not.toContain("secret");
      expect(sent).not.toHaveBeenCalled();
    },
  );

  test.each([
    ["unix:///run/a.sock", undefined, {}],
    ["tcp://127.0.0.1:80", false, {}],
    ["tcp://10.0.0.1:443", true, {}],
    ["tcp://10.0.0.1:80", false, { allowPlaintext: true }],
  ])("it goes to %s, secure: %s, %j", async (target, secure, options) => {
    sent.mockClear();
    await call(channelTo(target, secure), bearerToken("secret", options));
    expect(sent).toHaveBeenCalledExactlyOnceWith([["authorization", "Bearer secret"]]);
  });
});

test("each side's interceptor says when it is on the wrong side, or is given the wrong thing", async () => {
  expect(await failure(open(requireBearer(known), [requireBearer(known)]).shout({}))).toMatchObject({
    code: Code.Internal,
    rawMessage: "requireBearer() is for servers, not for channels",
  });
  expect(() => requireBearer("secret" as never)).toThrow("requireBearer() takes a function");
});

test.each([
  ["a", "a", true],
  ["a", "b", false],
  ["", "a", false],
  ["a", "a ", false],
  ["é", "e\u0301", false],
])("equalTokens(%j, %j) is %s", (given, expected, same) => {
  expect(equalTokens(given, expected)).toBe(same);
});
