// A listening socket that a parent hands to its child, as supervisors do it: served where only this machine reaches it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { link } from "node:fs/promises";
import { createServer, type ListenOptions, type Server } from "node:net";
import { createClient } from "@guestwire/rpc";
import { EchoService, tempFolder, watchHandles } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { connect } from "../src/channel.js";

const loader = new URL("../../ttrpc/test/support/run-source.mjs", import.meta.url).pathname;

interface Child {
  readonly listening: Server;
  /** What the child said first. */
  readonly said: string;
  end(): Promise<unknown[]>;
}

/** Listens, and gives the socket to a child as descriptor 3. */
async function childServing(options: ListenOptions): Promise<Child> {
  const listening = createServer();
  await once(listening.listen(options), "listening");
  const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
  const script = new URL("./support/fd-server.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", loader, script], { stdio: ["pipe", "pipe", "inherit", fd] });
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return {
    listening,
    said: said.toString().trim(),
    async end() {
      const ended = once(child, "exit");
      child.stdin?.end();
      return ended;
    },
  };
}

test("a child serves the unix socket that it was given", async () => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  const child = await childServing({ path: folder.file("a.sock") });
  expect(child.said).toBe("listening on fd://3");
  // This process accepts no connections any more, the child does. Closing takes the first name away.
  await link(folder.file("a.sock"), folder.file("b.sock"));
  child.listening.close();
  const channel = connect(`unix://${folder.file("b.sock")}`);
  expect((await createClient(EchoService, channel).inspect({})).peerKind).toBe("fd");
  await channel.close();
  expect(await child.end()).toEqual([0, null]);
  await allClosed();
});

test("a child refuses to serve plaintext on a socket that others can reach", async () => {
  const allClosed = watchHandles();
  const child = await childServing({ host: "0.0.0.0", port: 0 });
  expect(child.said).toMatch(/^\[failed_precondition\] fd:\/\/3: 0\.0\.0\.0 is not a loopback address/);
  child.listening.close();
  expect(await child.end()).toEqual([0, null]);
  await allClosed();
});
