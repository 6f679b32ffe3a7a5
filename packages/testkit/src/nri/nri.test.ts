// Our mux() with NRI's own, in Go: as the runtime and as the plugin, with calls both ways at once over one connection.
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { createClient } from "@guestwire/rpc";
import { connect, serve } from "@guestwire/ttrpc";
import { type Mux, mux, nriConnection } from "@guestwire/ttrpc/mux";
import { describe, expect, test } from "vitest";
import { all } from "../channel-suite/harness.js";
import { echoHandlers } from "../echo-handlers.js";
import { EchoService } from "../gen/guestwire/test/v1/echo_pb.js";
import { goProgram } from "../go-tools.js";
import { type PeerProcess, startPeer } from "../matrix/peer-process.js";
import { tempFolder } from "../temp-folder.js";

const program = await goProgram(".", { module: "go-nri" });

// Go's mux resets the trunk when 256 frames of one connection wait to be read. A message is two frames, or three where a
// write ends within it; so many fit even when nothing has been read before the last has come.
const callsAtOnce = 70;

interface Trunk {
  readonly trunk: Socket;
  readonly connections: Mux;
  readonly process: PeerProcess;
}

/** Starts Go's end in a role, and opens a mux to it; afterwards ends both. */
async function withTrunk(role: "plugin" | "runtime", run: (ours: Trunk) => Promise<void>): Promise<void> {
  await using folder = await tempFolder();
  const path = folder.file("n.sock");
  const listener = createServer();
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  if (role === "plugin") await once(listener.listen(path), "listening");
  const process = startPeer(program as string, [role, path]);
  if (role === "runtime") await process.said("listening");
  const trunk = role === "plugin" ? (await accepted)[0] : createConnection(path);
  await using connections = mux(trunk);
  await run({ trunk, connections, process });
  await process[Symbol.asyncDispose]();
  expect((await process.exited).code).toBe(0);
  // Go's mux closes the trunk as its process ends.
  expect(await connections.closed).toBeUndefined();
  listener.close();
}

/** As {@link withTrunk}, with a server and a client of ours on the connections of the other role. */
async function withPeer(
  role: "plugin" | "runtime",
  run: (ours: { client: ReturnType<typeof clientOf>; process: PeerProcess }) => Promise<void>,
): Promise<void> {
  await withTrunk(role, async ({ connections, process }) => {
    const { plugin, runtime } = nriConnection;
    const server = serve().service(EchoService, echoHandlers);
    server.attach(connections.open(role === "plugin" ? runtime : plugin));
    const channel = connect(connections.open(role === "plugin" ? plugin : runtime));
    await process.said("ready");
    await run({ client: clientOf(channel), process });
    await channel.close();
    await server.close();
  });
}

const clientOf = (channel: ReturnType<typeof connect>) => createClient(EchoService, channel);

describe.skipIf(program === undefined)("NRI's mux in Go", () => {
  test.each(["plugin", "runtime"] as const)("as the %s: calls both ways at once, streams among them", async (role) => {
    await withPeer(role, async ({ client, process }) => {
      process.tell("call");
      const ones = Array.from({ length: callsAtOnce }, (_, i) => ({ text: `t${i}`, payload: Buffer.alloc(300 * i) }));
      const [answers, parts] = await Promise.all([
        Promise.all(ones.map((one) => client.echo(one))),
        all(client.split({ count: 50, payload: Buffer.alloc(10_000) })),
      ]);
      expect(answers.map(({ text, payload }) => [text, payload.length])).toEqual(
        ones.map(({ text, payload }) => [text, payload.length]),
      );
      expect(parts.map(({ payload }) => payload.length)).toEqual(Array(50).fill(10_000));
      await process.said("done");
    });
  });

  test.each(["plugin", "runtime"] as const)("as the %s: messages of 4 MiB, both ways at once", async (role) => {
    await withPeer(role, async ({ client, process }) => {
      const payload = Buffer.alloc((4 << 20) - 100, 3);
      process.tell("large");
      const [answer] = await Promise.all([client.echo({ payload }), process.said("done")]);
      expect(Buffer.compare(answer.payload, payload)).toBe(0);
    });
  });

  // Go's ttrpc reads through a buffer of 4,096 bytes, and NRI's mux fails a read whose buffer is smaller than the next frame.
  test("a message of more than 4,096 bytes in one frame makes Go's server deaf on that connection, without an end", async () => {
    await withTrunk("runtime", async ({ trunk, connections, process }) => {
      const heard = connections.open(nriConnection.runtime);
      let bytes = 0;
      heard.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      const server = serve().service(EchoService, echoHandlers);
      server.attach(connections.open(nriConnection.plugin));
      await process.said("ready");
      const probe = Buffer.alloc(10);
      for (const length of [10, 4096, 4097]) {
        // One frame with whole probes in it, which are answered each; the last one is announced longer, and is.
        const message = Buffer.alloc(length);
        message.writeUInt32BE(length - 10, 0);
        const header = Buffer.alloc(8);
        header.writeUInt32BE(nriConnection.runtime, 0);
        header.writeUInt32BE(length, 4);
        const before = bytes;
        trunk.write(Buffer.concat([header, message]));
        if (length <= 4096) while (bytes === before) await once(heard, "data");
      }
      const before = bytes;
      heard.write(probe);
      // The other direction goes on, which shows that the frames above were taken from the trunk.
      process.tell("call");
      await process.said("done");
      expect(bytes).toBe(before);
      await server.close();
    });
  });
});
