// HTTP/2's windows, as the other end sees them: of each stream, and of the connection that carries all of them.
import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createConnection, createServer } from "node:net";
import { Code, createClient } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "./channel.js";
import { serve } from "./server.js";

const defaultWindow = 65_535;

test.each([1000, 300_000])("a server lets clients send %i bytes ahead", async (streamWindowBytes) => {
  await using folder = await tempFolder();
  await using server = serve({ limits: { streamWindowBytes } }).service(EchoService, echoHandlers);
  const path = folder.file("w.sock");
  await server.listen(`unix://${path}`);
  const session = connectHttp2("http://localhost", { createConnection: () => createConnection(path) });
  const [settings] = await once(session, "remoteSettings");
  expect(settings.initialWindowSize).toBe(streamWindowBytes);
  // Behind the settings: there when anything else has come back.
  await new Promise((resolve) => session.ping(resolve));
  expect(session.state.remoteWindowSize).toBe(Math.max(streamWindowBytes, defaultWindow));
  session.close();
});

test.each([1000, 300_000])("a channel lets servers send %i bytes ahead", async (streamWindowBytes) => {
  await using folder = await tempFolder();
  const seen: (number | undefined)[] = [];
  const server = createHttp2Server().on("stream", (stream: ServerHttp2Stream) => {
    seen.push(stream.session?.remoteSettings.initialWindowSize, stream.session?.state.remoteWindowSize);
    const status = { "grpc-status": Code.Aborted, "content-type": "application/grpc" };
    stream.respond(status, { endStream: true });
  });
  const path = folder.file("w.sock");
  await once(server.listen(path), "listening");
  const channel = connect(`unix://${path}`, { limits: { streamWindowBytes } });
  await expect(createClient(EchoService, channel).echo({})).rejects.toMatchObject({ code: Code.Aborted });
  expect(seen).toEqual([streamWindowBytes, Math.max(streamWindowBytes, defaultWindow)]);
  await channel.close();
  server.close();
});

test("a socket may be attached that is still being connected", async () => {
  await using folder = await tempFolder();
  await using server = serve().service(EchoService, echoHandlers);
  const path = folder.file("a.sock");
  const accepted = Promise.withResolvers<void>();
  const listener = createServer((socket) => {
    const session = connectHttp2("http://localhost", { createConnection: () => socket });
    session.ping(() => {
      expect(session.state.remoteWindowSize).toBeGreaterThan(defaultWindow);
      session.close(accepted.resolve);
    });
  });
  await once(listener.listen(path), "listening");
  const socket = createConnection(path);
  expect(socket.connecting).toBe(true);
  server.attach(socket);
  await accepted.promise;
  listener.close();
});
