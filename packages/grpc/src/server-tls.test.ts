// Who gets in over TLS, whom handlers see, and certificates that change while calls run.
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { Code, createClient, createPushStream, type PeerIdentity, RpcError } from "@guestwire/rpc";
import { createTestCa, EchoService, type TestCa, type TestCertificate, watchHandles } from "@guestwire/testkit";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connect } from "./channel.js";
import { serve } from "./server.js";
import { type EchoServer, echoServer, failure, until } from "./server.test.support.js";
import type { TlsOptions, TlsProvider } from "./tls.js";

let ca: TestCa;
let otherCa: TestCa;
let server: TestCertificate;
let admin: TestCertificate;
let allClosed: () => Promise<void>;

const hour = 60 * 60 * 1000;
const names = ["localhost", "127.0.0.1"];

beforeAll(async () => {
  [ca, otherCa] = await Promise.all([createTestCa(), createTestCa()]);
  server = await ca.issue({ commonName: "server", names });
  admin = await ca.issue({
    commonName: "alice",
    organization: "Guestwire, Inc.",
    organizationalUnit: ["admin", "on-call"],
    names: ["alice.test", "spiffe://test/alice"],
    client: true,
  });
});

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

/** An echo server whose handlers keep the identity of the last caller, with a client that has this TLS. */
async function tlsServer(
  tls: TlsOptions | TlsProvider,
  clientTls: TlsOptions,
): Promise<EchoServer & { identity(): PeerIdentity | undefined }> {
  let identity: PeerIdentity | undefined;
  const peer = await echoServer(
    {
      echo: ({ text }, context) => {
        identity = context.peer.identity;
        return { text };
      },
    },
    { at: "tcp://127.0.0.1:0", tls, client: { tls: clientTls, connectTimeoutMs: 10_000 } },
  );
  return Object.assign(peer, { identity: () => identity });
}

const echo = async (peer: EchoServer): Promise<string> => (await peer.client.echo({ text: "hello" })).text;
const refusal = (peer: EchoServer): Promise<unknown> => failure(peer.client.echo({}));
const unavailable = { code: Code.Unavailable };

describe("a client certificate that is required", () => {
  test("lets in who shows one of the authority, with an identity that says all of it", async () => {
    await using peer = await tlsServer({ ...server, ca: ca.ca }, { ...admin, ca: ca.ca });
    expect(await echo(peer)).toBe("hello");
    const identity = peer.identity() as PeerIdentity;
    expect({ ...identity.subject }).toEqual({ CN: ["alice"], O: ["Guestwire, Inc."], OU: ["admin", "on-call"] });
    expect({ ...identity.issuer }).toEqual({ CN: ["Guestwire test CA"] });
    expect(identity.alternativeNames).toEqual(["DNS:alice.test", "URI:spiffe://test/alice"]);
    expect(identity.fingerprint256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(identity.validTo.getTime() - identity.validFrom.getTime()).toBe(25 * hour);
    expect(Buffer.from(identity.certificate).toString("base64")).toBe(admin.cert.replace(/-----[A-Z ]+-----|\s/g, ""));
    // One and the same for all calls of a connection.
    await echo(peer);
    expect(peer.identity()).toBe(identity);
  });

  test.each([
    ["none", () => ({})],
    ["one of another authority", async () => otherCa.issue({ commonName: "alice", client: true })],
    [
      "one that has expired",
      () =>
        ca.issue({
          commonName: "alice",
          client: true,
          validFrom: new Date(Date.now() - 2 * hour),
          validTo: new Date(Date.now() - hour),
        }),
    ],
    [
      "one that is not valid yet",
      () =>
        ca.issue({
          commonName: "alice",
          client: true,
          validFrom: new Date(Date.now() + hour),
          validTo: new Date(Date.now() + 2 * hour),
        }),
    ],
    ["one for servers", async () => ca.issue({ commonName: "alice" })],
  ])("keeps out who shows %s, and the server goes on", async (_, certificate) => {
    await using peer = await tlsServer({ ...server, ca: ca.ca }, { ...(await certificate()), ca: ca.ca });
    expect(await refusal(peer)).toMatchObject(unavailable);
    await using good = connect(peer.address, { tls: { ...admin, ca: ca.ca } });
    expect(await createClient(EchoService, good).echo({ text: "in" })).toMatchObject({ text: "in" });
    expect(peer.server.runningCalls).toBe(0);
  });

  test("keeps out who speaks no TLS", async () => {
    await using peer = await tlsServer({ ...server, ca: ca.ca }, { ...admin, ca: ca.ca });
    await using plain = connect(peer.address, { connectTimeoutMs: 10_000 });
    expect(await failure(createClient(EchoService, plain).echo({}))).toMatchObject(unavailable);
    expect(await echo(peer)).toBe("hello");
  });
});

describe("a client certificate that is not required", () => {
  test("gives an identity only where it was verified", async () => {
    const tls: TlsOptions = { ...server, ca: ca.ca, clientCertificates: "request" };
    const stranger = await otherCa.issue({ commonName: "alice", organizationalUnit: "admin", client: true });
    for (const [shown, known] of [
      [admin, "alice"],
      [stranger, undefined],
      [{}, undefined],
    ] as const) {
      await using peer = await tlsServer(tls, { ...shown, ca: ca.ca });
      expect(await echo(peer)).toBe("hello");
      expect(peer.identity()?.subject["CN"]?.[0]).toBe(known);
    }
  });

  test("is not looked at where it was not asked for", async () => {
    await using peer = await tlsServer(server, { ...admin, ca: ca.ca });
    expect(await echo(peer)).toBe("hello");
    expect(peer.identity()).toBeUndefined();
  });
});

describe("the client", () => {
  test.each([
    ["another authority", () => server, () => otherCa.ca],
    ["another name", async () => ca.issue({ commonName: "localhost", names: ["elsewhere.test"] }), () => ca.ca],
    [
      "a certificate that has expired",
      async () =>
        ca.issue({
          commonName: "server",
          names,
          validFrom: new Date(Date.now() - 2 * hour),
          validTo: new Date(Date.now() - hour),
        }),
      () => ca.ca,
    ],
  ])("does not talk to a server with %s", async (_, certificate, trusted) => {
    await using peer = await tlsServer(await certificate(), { ca: trusted() });
    expect(await refusal(peer)).toMatchObject(unavailable);
    expect(peer.server.runningCalls).toBe(0);
  });
});

describe("versions", () => {
  async function handshake(address: string, options: ConnectionOptions): Promise<string> {
    const socket: TLSSocket = connectTls({
      port: Number(address.slice(address.lastIndexOf(":") + 1)),
      ca: ca.ca,
      ALPNProtocols: ["h2"],
      ...options,
    });
    return new Promise((resolve) => {
      socket.once("secureConnect", () => resolve(String(socket.getProtocol())));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    }).finally(() => socket.destroy()) as Promise<string>;
  }

  test("1.2 and 1.3 by default, 1.3 alone where that is asked for", async () => {
    await using both = await tlsServer(server, { ca: ca.ca });
    await using strict = await tlsServer({ ...server, minVersion: "TLSv1.3" }, { ca: ca.ca });
    expect(await handshake(both.address, { maxVersion: "TLSv1.2" })).toBe("TLSv1.2");
    expect(await handshake(both.address, {})).toBe("TLSv1.3");
    expect(await handshake(both.address, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" })).toMatch(/^ERR_SSL|ECONN/);
    expect(await handshake(strict.address, {})).toBe("TLSv1.3");
    expect(await handshake(strict.address, { maxVersion: "TLSv1.2" })).toMatch(/^ERR_SSL|ECONN/);
    expect(await echo(strict)).toBe("hello");
    await until(() => strict.server.connections === 1 && both.server.connections === 0);
  });
});

describe("new certificates", () => {
  /** The CN of the certificate that a new connection gets. */
  async function shownName(address: string): Promise<string> {
    const { port } = new URL(address.replace("tcp:", "http:"));
    const socket = connectTls({ port: Number(port), rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN as unknown as string;
  }

  test("are used by new connections, while a stream on an old one goes on", async () => {
    await using peer = await tlsServer({ ...server, ca: ca.ca }, { ...admin, ca: ca.ca });
    const requests = createPushStream<{ text: string }>();
    const responses = peer.client.chat(requests);
    await requests.push({ text: "before" });
    expect((await responses.next()).value?.text).toBe("before");
    const next = await ca.issue({ commonName: "next", names });
    peer.server.updateTls({ ...next, ca: otherCa.ca });
    await requests.push({ text: "after" });
    expect((await responses.next()).value?.text).toBe("after");
    expect(await shownName(peer.address)).toBe("next");
    // The authorities are new as well: whom the old one knew, the new one does not.
    await using old = connect(peer.address, { tls: { ...admin, ca: ca.ca } });
    expect(await failure(createClient(EchoService, old).echo({}))).toMatchObject(unavailable);
    const bob = await otherCa.issue({ commonName: "bob", client: true });
    await using known = connect(peer.address, { tls: { ...bob, ca: ca.ca } });
    expect(await createClient(EchoService, known).echo({ text: "bob" })).toMatchObject({ text: "bob" });
    expect(peer.identity()?.subject["CN"]).toEqual(["bob"]);
    requests.end();
    expect((await responses.next()).done).toBe(true);
  });

  test("that cannot be used are refused by name, and the old ones stay", async () => {
    await using peer = await tlsServer({ ...server, ca: ca.ca }, { ...admin, ca: ca.ca });
    const broken: [object, RegExp][] = [
      [{ ...server, key: admin.key, ca: ca.ca }, /tls\.key is not the key of tls\.cert/],
      [{ ...server, cert: "nothing", ca: ca.ca }, /tls\.cert is no certificate/],
      [{ ...server }, /clientCertificates is "require" and cannot become "none"/],
    ];
    for (const [tls, text] of broken) {
      expect(() => peer.server.updateTls(tls)).toThrow(expect.objectContaining({ code: Code.InvalidArgument }));
      expect(() => peer.server.updateTls(tls)).toThrow(text);
    }
    expect(await shownName(peer.address).catch(() => "refused")).toBe("server");
    expect(await echo(peer)).toBe("hello");
  });

  test("come from a provider too, as long as the server is open", async () => {
    let listener: (() => void) | undefined;
    const provider = {
      current: server as TlsOptions,
      onChange(heard: () => void) {
        listener = heard;
        return () => {
          listener = undefined;
        };
      },
    };
    const peer = await tlsServer(provider, { ca: ca.ca });
    provider.current = await ca.issue({ commonName: "next", names });
    listener?.();
    expect(await shownName(peer.address)).toBe("next");
    await peer[Symbol.asyncDispose]();
    expect(listener).toBeUndefined();
  });

  test("have no place on a server without TLS", async () => {
    await using plain = serve();
    expect(() => plain.updateTls(server)).toThrow(expect.objectContaining({ code: Code.FailedPrecondition }));
  });
});

test("authorize decides by the OU of the certificate", async () => {
  const viewer = await ca.issue({ commonName: "bob", organizationalUnit: "viewer", client: true });
  await using peer = await echoServer(
    {},
    {
      at: "tcp://localhost:0",
      tls: { ...server, ca: ca.ca },
      authorize: ({ identity }, { name }) =>
        name === "Inspect" || (identity?.subject["OU"]?.includes("admin") ?? false),
      client: { tls: { ...admin, ca: ca.ca } },
    },
  );
  expect(await peer.client.echo({ text: "mine" })).toMatchObject({ text: "mine" });
  await using channel = connect(peer.address, { tls: { ...viewer, ca: ca.ca } });
  const client = createClient(EchoService, channel);
  expect((await client.inspect({})).peerKind).toBe("tcp");
  expect(await failure(client.echo({}))).toMatchObject({ code: Code.PermissionDenied });
  expect(await failure(client.split({}).next())).toMatchObject({ code: Code.PermissionDenied });
});

test("TLS is spoken on unix sockets too", async () => {
  let identity: PeerIdentity | undefined;
  await using peer = await echoServer(
    {
      inspect: (_, context) => {
        identity = context.peer.identity;
        return { peerKind: context.peer.kind };
      },
    },
    { tls: { ...server, ca: ca.ca }, client: { tls: { ...admin, ca: ca.ca } } },
  );
  expect((await peer.client.inspect({})).peerKind).toBe("unix");
  expect(identity?.subject["CN"]).toEqual(["alice"]);
});

test.each([
  [{ cert: "x", key: "y" }, /tls\.cert is no certificate/],
  [{}, /tls\.cert and tls\.key are missing/],
  [{ clientCertificates: "require" }, /tls\.ca is missing/],
  [{ clientCertificates: "maybe" }, /clientCertificates must be/],
  [{ clientCertificate: "require" }, /tls has no option "clientCertificate"/],
])("TLS options that are wrong are refused by name: %j", (options, text) => {
  const tls = "clientCertificates" in options ? { ...server, ...options } : options;
  const attempt = (): unknown => serve({ tls: tls as never });
  expect(attempt).toThrow(RpcError);
  expect(attempt).toThrow(text);
});
