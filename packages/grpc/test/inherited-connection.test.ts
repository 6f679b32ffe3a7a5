// A connection that a parent hands to its child, which calls over it: once, as there is no second one to be had.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { serve } from "../src/server.js";

const loader = new URL("../../ttrpc/test/support/run-source.mjs", import.meta.url).pathname;
const script = new URL("./support/fd-client.ts", import.meta.url).pathname;

test("a child calls over the connection that it was given, and is told when that has gone", async () => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  const server = serve().service(EchoService, echoHandlers);
  // Paused, so that this process reads nothing of what is the child's.
  const listener = createServer({ pauseOnConnect: true });
  await once(listener.listen(folder.file("a.sock")), "listening");
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const near = createConnection(folder.file("a.sock"));
  const [far] = await accepted;
  const { fd } = (far as unknown as { _handle: { fd: number } })._handle;
  const child = spawn(process.execPath, ["--import", loader, script], { stdio: ["ignore", "pipe", "inherit", fd] });
  const exited = once(child, "exit");
  far.destroy();
  server.attach(near);
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    said.push(line);
    if (line === "ready") await server.close({ graceMs: 0 });
  }
  expect(said).toEqual([
    "hello over fd://3",
    "ready",
    "hang: unavailable connection_closed",
    "again: cannot connect to fd://3: an inherited connection was used, and cannot be opened again",
  ]);
  expect(await exited).toEqual([0, null]);
  listener.close();
  await allClosed();
});
