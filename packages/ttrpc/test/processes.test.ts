// Servers and clients that are not a process's main program: fd:// addresses (sockets that a parent hands to its child,
// which is how shims and NRI plugins are started), and worker threads.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { link, lstat } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { createClient } from "@guestwire/rpc";
import { EchoService, rawPeer, tempFolder, watchHandles } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "../src/channel.js";
import { echo, responseFrame, say } from "./support/wire.js";

const loader = new URL("./support/run-source.mjs", import.meta.url).pathname;

/** Runs a script of this folder with the sources, and a socket as descriptor 3. */
function run(script: string, socket: unknown) {
  const path = new URL(`./support/${script}`, import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", loader, path], {
    stdio: ["pipe", "pipe", "inherit", socket as never],
  });
  const lines: string[] = [];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  return { child, lines, ended: once(child, "exit") };
}

test("a child serves the listening socket that it was given", async () => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  const listening = createServer();
  await once(listening.listen(folder.file("a.sock")), "listening");
  const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
  const { child, ended, lines } = run("fd-server.ts", fd);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  // This process accepts no connections any more, the child does. Closing takes the first name away.
  await link(folder.file("a.sock"), folder.file("b.sock"));
  listening.close();
  const channel = connect(`unix:${folder.file("b.sock")}`);
  expect((await createClient(EchoService, channel).inspect({})).peerKind).toBe("fd");
  expect(lines.join("")).toBe("listening on fd://3\n");
  await channel.close();
  child.stdin?.end();
  expect(await ended).toEqual([0, null]);
  await allClosed();
});

test("a child calls over the connected socket that it was given, and there is no second one", async () => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer(accepted.resolve);
  await once(server.listen(folder.file("a.sock")), "listening");
  const theirs = createConnection(folder.file("a.sock"));
  await once(theirs, "connect");
  const peer = rawPeer(await accepted.promise);
  const { child, ended, lines } = run("fd-client.ts", theirs);
  expect(say(await peer.next())).toContain("type 1 on 1");
  theirs.destroy();
  peer.send(responseFrame(1, echo({ text: "hello child" })));
  await once(child.stdout as NodeJS.ReadableStream, "data");
  peer.destroy();
  expect(await ended).toEqual([0, null]);
  expect(lines.join("")).toBe("hello child\nunavailable\n");
  server.close();
  await allClosed();
});

test("a worker thread serves a socket that is the owner's alone, though it cannot set the process' mask", async () => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  const address = `unix://${folder.file("w.sock")}`;
  const script = new URL("./support/worker-server.ts", import.meta.url);
  const worker = new Worker(script, { workerData: address, execArgv: ["--import", loader] });
  expect(await once(worker, "message")).toEqual([address]);
  expect((await lstat(folder.file("w.sock"))).mode & 0o777).toBe(0o600);
  const channel = connect(address);
  expect((await createClient(EchoService, channel).inspect({})).peerKind).toBe("unix");
  await channel.close();
  worker.postMessage("end");
  expect(await once(worker, "exit")).toEqual([0]);
  await allClosed();
});
