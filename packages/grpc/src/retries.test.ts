// Retries, which only idempotent methods get, and calls over several servers.
import { Metadata } from "@grpc/grpc-js";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { EchoService } from "@guestwire/testkit";
import { describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { type PlainServer, plainServer } from "./plain-server.test.support.js";
import { relayTo } from "./relay.test.support.js";

const fast = { initialBackoffMs: 1, maxBackoffMs: 5 };

/** The echo service as if its schema called some methods idempotent. */
function withIdempotency(level: 0 | 1 | 2): typeof EchoService {
  const service = { ...EchoService, methods: EchoService.methods.map((method) => ({ ...method, idempotency: level })) };
  return service as unknown as typeof EchoService;
}

async function failure(promise: PromiseLike<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

/** A server that answers with an error as often as told, and counts the calls. */
async function failing(times: number, code: number = Code.Unavailable): Promise<PlainServer & { calls: number }> {
  const counted = { calls: 0 };
  const server = await plainServer({
    echo(call, done) {
      if (counted.calls++ < times) done({ code, details: "not now" });
      else done(null, { text: `${call.request.text} ${call.metadata.get("grpc-previous-rpc-attempts")}` });
    },
    split(call) {
      if (counted.calls++ < times) return void call.emit("error", { code, details: "not now" });
      call.write({ number: 1n });
      call.end();
    },
  });
  return Object.assign(counted, server, { [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() });
}

describe("retries", () => {
  test.each([1, 2] as const)("of a method with idempotency level %i go on until it succeeds", async (level) => {
    await using server = await failing(3);
    await using channel = connect(server.address, { retries: fast });
    const client = createClient(withIdempotency(level), channel);
    expect((await client.echo({ text: "x" })).text).toBe("x 3");
    expect(server.calls).toBe(4);
    server.calls = 0;
    expect((await Array.fromAsync(client.split({}))).map(({ number }) => number)).toEqual([1n]);
    expect(server.calls).toBe(4);
  });

  test("end after the attempts that were asked for", async () => {
    await using server = await failing(100);
    for (const attempts of [2, 5, 8]) {
      await using channel = connect(server.address, { retries: { ...fast, attempts } });
      server.calls = 0;
      const error = await failure(createClient(withIdempotency(2), channel).echo({}));
      expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "not now", reason: undefined });
      expect(server.calls).toBe(attempts);
    }
  });

  test("of a unary call whose connection breaks behind its header go to another connection", async () => {
    for (const attempts of [2, 3, 5]) {
      for (const breaks of [attempts - 1, attempts]) {
        let calls = 0;
        const previous: unknown[] = [];
        await using server = await plainServer({
          echo(call, done) {
            previous.push(call.metadata.get("grpc-previous-rpc-attempts")[0]);
            if (calls++ >= breaks) return done(null, { text: call.request.text });
            call.sendMetadata(new Metadata());
          },
        });
        await using relay = await relayTo(server.address);
        await using channel = connect(relay.address, { retries: { ...fast, attempts } });
        const headers: unknown[] = [];
        const onHeader = (): void => {
          headers.push(relay.cut());
        };
        const call = createClient(EchoService, channel).echo({ text: "x" }, { onHeader });
        if (breaks < attempts) expect((await call).text).toBe("x");
        else expect(await failure(call)).toMatchObject({ code: Code.Unavailable, reason: "connection_closed" });
        expect(calls).toBe(attempts);
        expect(headers).toHaveLength(attempts);
      }
    }
  });

  test("behind a header count with those before it", async () => {
    let calls = 0;
    await using server = await plainServer({
      echo(call, done) {
        if (++calls === 3) call.sendMetadata(new Metadata());
        else done({ code: Code.Unavailable, details: "not now" });
      },
    });
    await using relay = await relayTo(server.address);
    await using channel = connect(relay.address, { retries: { ...fast, attempts: 5 } });
    const call = createClient(EchoService, channel).echo({}, { onHeader: () => calls === 3 && relay.cut() });
    expect(await failure(call)).toMatchObject({ code: Code.Unavailable, rawMessage: "not now" });
    expect(calls).toBe(5);
  });

  test("behind a header are for unary calls of idempotent methods only", async () => {
    let calls = 0;
    const header = (call: { sendMetadata(metadata: Metadata): void }): void => {
      calls++;
      call.sendMetadata(new Metadata());
    };
    await using server = await plainServer({ echo: header, split: header });
    await using relay = await relayTo(server.address);
    await using channel = connect(relay.address, { retries: fast });
    const cut = { onHeader: () => relay.cut() };
    const lost = { code: Code.Unavailable, reason: "connection_closed" };
    expect(await failure(createClient(withIdempotency(0), channel).echo({}, cut))).toMatchObject(lost);
    expect(await failure(createClient(withIdempotency(1), channel).split({}, cut).next())).toMatchObject(lost);
    expect(calls).toBe(2);
  });

  test("are not for methods of which nobody knows what was done already", async () => {
    await using server = await failing(1);
    await using channel = connect(server.address, { retries: fast });
    expect(await failure(createClient(withIdempotency(0), channel).echo({}))).toMatchObject({ rawMessage: "not now" });
    expect(server.calls).toBe(1);
  });

  test("are not for other errors, and not unless asked for", async () => {
    await using refusing = await failing(1, Code.PermissionDenied);
    await using one = connect(refusing.address, { retries: true });
    expect((await failure(createClient(withIdempotency(2), one).echo({}))).code).toBe(Code.PermissionDenied);
    expect(refusing.calls).toBe(1);
    await using server = await failing(1);
    await using other = connect(server.address);
    expect((await failure(createClient(withIdempotency(2), other).echo({}))).code).toBe(Code.Unavailable);
    expect(server.calls).toBe(1);
  });

  test("end with the deadline and the signal", async () => {
    await using server = await failing(Number.POSITIVE_INFINITY);
    const slow = { attempts: 5, initialBackoffMs: 60_000, maxBackoffMs: 60_000 };
    await using channel = connect(server.address, { retries: slow });
    const client = createClient(withIdempotency(2), channel);
    expect(await failure(client.echo({}, { timeoutMs: 50 }))).toMatchObject({ reason: "deadline" });
    expect((await failure(client.echo({}, { signal: AbortSignal.timeout(20) }))).code).toBe(Code.Canceled);
  });

  test("also over names that gRPC resolves", async () => {
    await using server = await plainServer(
      (() => {
        let calls = 0;
        return { echo: (_, done) => (calls++ === 0 ? done({ code: Code.Unavailable, details: "" }) : done(null, {})) };
      })(),
      { at: "127.0.0.1:0" },
    );
    const { port } = new URL(server.address);
    for (const name of [`dns:///localhost:${port}`, `ipv4:127.0.0.1:${port}`]) {
      for (const loadBalancing of ["pick_first", "round_robin"] as const) {
        await using channel = connect(name, { retries: fast, loadBalancing });
        await createClient(withIdempotency(2), channel).echo({});
        expect(channel.target).toBe(name);
      }
    }
  });

  test("by a service config of one's own", async () => {
    await using server = await failing(2);
    const retryPolicy = {
      maxAttempts: 3,
      initialBackoff: "0.001s",
      maxBackoff: "0.005s",
      backoffMultiplier: 1,
      retryableStatusCodes: ["UNAVAILABLE"],
    };
    const serviceConfig = { methodConfig: [{ name: [{ service: EchoService.typeName }], retryPolicy }] };
    await using channel = connect(server.address, { serviceConfig: serviceConfig as never });
    await createClient(EchoService, channel).echo({});
    expect(server.calls).toBe(3);
  });
});

describe("several addresses", () => {
  const named = (text: string): Promise<PlainServer> => plainServer({ echo: (_, done) => done(null, { text }) });

  test("take calls in turn, and one that is gone is left out", async () => {
    const one = await named("one");
    await using two = await named("two");
    await using channel = connect([one.address, two.address]);
    const client = createClient(EchoService, channel);
    const seen = { one: 0, two: 0 };
    // The first call needs one connection; the second comes when it is there.
    while (seen.one < 10 || seen.two < 10) seen[(await client.echo({})).text as "one" | "two"]++;
    expect(Math.min(seen.one, seen.two)).toBeGreaterThanOrEqual(10);
    await one[Symbol.asyncDispose]();
    const after = new Set<string>();
    for (let i = 0; i < 20; i++) after.add((await client.echo({}).catch(() => ({ text: "two" }))).text);
    expect([...after]).toEqual(["two"]);
  });

  test("with pick_first go to the first that answers", async () => {
    await using one = await named("one");
    await using two = await named("two");
    await using channel = connect(["unix:///run/guestwire-none.sock", two.address, one.address], {
      loadBalancing: "pick_first",
    });
    const client = createClient(EchoService, channel);
    for (let i = 0; i < 5; i++) expect((await client.echo({})).text).toBe("two");
  });

  test("none of which answers fail with the cause", async () => {
    await using channel = connect(["unix:///run/guestwire-none-1.sock", "unix:///run/guestwire-none-2.sock"]);
    const error = await failure(createClient(EchoService, channel).echo({}));
    expect(error).toMatchObject({ code: Code.Unavailable, reason: "connect_failed", peer: channel.target });
    expect(error.rawMessage).toMatch(/^cannot connect to .*ENOENT/);
  });
});
