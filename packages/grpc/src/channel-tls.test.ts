// TLS as the client sees it: what it believes, what it shows, and certificates that change while the channel lives.
import { ServerCredentials } from "@grpc/grpc-js";
import { Code, createClient, RpcError } from "@guestwire/rpc";
import { createTestCa, EchoService, type TestCa, type TestCertificate } from "@guestwire/testkit";
import { beforeAll, describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import type { ClientTls } from "./client-credentials.js";
import { type PlainServer, plainServer } from "./plain-server.test.support.js";

let authority: TestCa;
let serverCert: TestCertificate;
let clientCert: TestCertificate;

beforeAll(async () => {
  authority = await createTestCa();
  serverCert = await authority.issue({ commonName: "server", names: ["guest.test", "127.0.0.1"] });
  clientCert = await authority.issue({ commonName: "client", client: true });
});

function tlsServer(clientsMustShow = false, at = "127.0.0.1:0"): Promise<PlainServer> {
  const pair = { cert_chain: Buffer.from(serverCert.cert), private_key: Buffer.from(serverCert.key) };
  const credentials = ServerCredentials.createSsl(Buffer.from(authority.ca), [pair], clientsMustShow);
  return plainServer({ echo: (call, done) => done(null, { text: call.getHost() }) }, { credentials, at });
}

async function failure(promise: PromiseLike<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (error) {
    return RpcError.from(error);
  }
  throw new Error("it did not fail");
}

async function call(address: string, tls: ClientTls): Promise<void> {
  await using channel = connect(address, { tls });
  await createClient(EchoService, channel).echo({});
}

describe("the server's certificate", () => {
  test("is believed when the authority signed it, for an address and for a name", async () => {
    await using server = await tlsServer();
    await call(server.address, { ca: authority.ca });
    await call(server.address, { ca: Buffer.from(authority.ca) });
    await call(server.address, { ca: authority.ca, serverName: "guest.test" });
    await call(server.address, async () => ({ ca: authority.ca }));
    await call(server.address, { ca: authority.ca, minVersion: "TLSv1.3" });
  });

  test("is refused otherwise, with the reason", async () => {
    await using server = await tlsServer();
    const other = await createTestCa("another one");
    const wrong: [ClientTls, RegExp][] = [
      [true, /unable to verify|self-signed/],
      [{ ca: other.ca }, /unable to verify|signature failure|self-signed/],
      [{ ca: authority.ca, serverName: "other.test" }, /does not match certificate's altnames/],
      [{ ca: authority.ca, checkServerIdentity: () => new Error("not mine") }, /not mine/],
    ];
    for (const [tls, text] of wrong) {
      const error = await failure(call(server.address, tls));
      expect(error).toMatchObject({ code: Code.Unavailable, reason: "connect_failed" });
      expect(error.rawMessage).toMatch(text);
    }
  });

  test("over a unix socket is checked for serverName", async () => {
    const server = await plainServer(
      { echo: (_, done) => done(null, {}) },
      {
        credentials: ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(serverCert.cert), private_key: Buffer.from(serverCert.key) },
        ]),
      },
    );
    await using _ = server;
    await call(server.address, { ca: authority.ca, serverName: "guest.test" });
    expect((await failure(call(server.address, { ca: authority.ca }))).rawMessage).toContain("localhost");
  });

  test("of a server that speaks no TLS, and a client that speaks none", async () => {
    await using plain = await plainServer({ echo: (_, done) => done(null, {}) });
    expect(await failure(call(plain.address, { ca: authority.ca }))).toMatchObject({ reason: "connect_failed" });
    await using server = await tlsServer();
    await using channel = connect(server.address);
    expect(await failure(createClient(EchoService, channel).echo({}))).toMatchObject({ reason: "connect_failed" });
  });
});

describe("the client's certificate", () => {
  test("is shown, and needed where the server asks for it", async () => {
    await using server = await tlsServer(true);
    await call(server.address, { ca: authority.ca, ...clientCert });
    const error = await failure(call(server.address, { ca: authority.ca }));
    expect(error.code).toBe(Code.Unavailable);
  });

  test("may change while the channel lives: each connection asks anew", async () => {
    await using server = await tlsServer(true);
    let current: { cert: string; key: string } | undefined;
    let asked = 0;
    const tls = async () => {
      asked++;
      if (current === undefined) throw new Error("no certificate yet");
      return { ca: authority.ca, ...current };
    };
    await using channel = connect(server.address, { tls, backoff: { initialMs: 1, maxMs: 1 } });
    const client = createClient(EchoService, channel);
    const error = await failure(client.echo({}));
    expect(error).toMatchObject({ reason: "connect_failed" });
    expect(error.rawMessage).toContain("no certificate yet");
    current = clientCert;
    while ((await client.echo({}).then(() => "", String)) !== "");
    const before = asked;
    server.server.forceShutdown();
    expect(before).toBeGreaterThan(1);
  });

  test("a provider that gives nonsense fails the attempt by the option's name", async () => {
    await using server = await tlsServer();
    const error = await failure(call(server.address, () => ({ ca: "nonsense" })));
    expect(error.rawMessage).toContain("tls.ca is no certificate");
  });
});

test("the server sees the authority that was asked for", async () => {
  await using server = await tlsServer();
  await using channel = connect(server.address, { tls: { ca: authority.ca }, authority: "guest.test" });
  expect((await createClient(EchoService, channel).echo({})).text).toBe("guest.test");
});
