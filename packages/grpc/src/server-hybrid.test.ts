// Serving connections that guests begin: the unix socket that a monitor connects to for them, in plaintext and over TLS.
import { lstat } from "node:fs/promises";
import { Code, createClient, type Peer } from "@guestwire/rpc";
import { createTestCa, EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { hybridProxy } from "@guestwire/vsock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "./channel.js";
import type { ClientTls } from "./client-credentials.js";
import { serve } from "./server.js";
import { failure } from "./server.test.support.js";
import type { ServeOptions } from "./server-options.js";

let allClosed: () => Promise<void>;

beforeEach(() => {
  allClosed = watchHandles();
});

afterEach(() => allClosed());

/** Has the guest of a machine call its host, which serves on port 1030. Gives whom the host took it for. */
async function calledFromGuest(options: ServeOptions, tls?: ClientTls): Promise<Peer | undefined> {
  await using folder = await tempFolder();
  let peer: Peer | undefined;
  await using server = serve(options).service(EchoService, {
    ...echoHandlers,
    echo: ({ text }, context) => {
      peer = context.peer;
      return { text };
    },
  });
  const address = `hvsock://${folder.file("run/vm.sock")}:1030`;
  expect(await server.listen(address)).toBe(address);
  expect(server.addresses).toEqual([address]);
  const path = folder.file("run/vm.sock_1030");
  expect((await lstat(path)).mode & 0o777).toBe(0o600);
  expect((await lstat(folder.file("run"))).mode & 0o777).toBe(0o700);
  await using monitor = await hybridProxy({ path: folder.file("run/vm.sock"), connect: () => new Promise(() => {}) });
  // What the monitor does when the guest connects.
  const probe = await monitor.connectToHost(1030);
  probe.destroy();
  await using channel = connect(`unix://${path}`, tls === undefined ? {} : { tls });
  expect((await createClient(EchoService, channel).echo({ text: "from the guest" })).text).toBe("from the guest");
  await channel.close();
  await server.close();
  await expect(lstat(path)).rejects.toThrow("ENOENT");
  return peer;
}

test("a host's server takes the calls of a guest, in plaintext without being asked to", async () => {
  const peer = await calledFromGuest({});
  expect(peer).toMatchObject({ kind: "hvsock", address: expect.stringMatching(/^hvsock:.*vm\.sock:1030$/) });
});

test("over TLS as well, and knows who showed a certificate", async () => {
  const { ca, issue } = await createTestCa();
  const server = await issue({ commonName: "host", names: ["localhost"] });
  const client = await issue({ commonName: "guest", client: true });
  const peer = await calledFromGuest({ tls: { ...server, ca } }, { ...client, ca });
  expect(peer).toMatchObject({ kind: "hvsock", address: expect.stringMatching(/:1030$/) });
  expect(peer?.identity?.subject["CN"]).toEqual(["guest"]);
});

test("a port that somebody listens on is refused, one that was left behind is replaced", async () => {
  await using folder = await tempFolder();
  const address = `hvsock://${folder.file("vm.sock")}:1030`;
  await using first = serve();
  await first.listen(address);
  await using second = serve();
  expect(await failure(second.listen(address))).toMatchObject({
    code: Code.AlreadyExists,
    rawMessage: expect.stringContaining(address),
  });
  await first.close();
  expect(await second.listen(address)).toBe(address);
});
