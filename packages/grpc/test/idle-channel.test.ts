// A channel that is not used keeps no process alive, whatever its connection is made of.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { EchoService, echoHandlers, tempFolder, watchHandles } from "@guestwire/testkit";
import { hybridProxy, unixPorts } from "@guestwire/vsock";
import { expect, test } from "vitest";
import { serve } from "../src/server.js";

const loader = new URL("../../ttrpc/test/support/run-source.mjs", import.meta.url).pathname;
const script = new URL("./support/idle-client.ts", import.meta.url).pathname;

test.each(["unix", "hvsock"])("a process ends with its channel open: %s", async (kind) => {
  const allClosed = watchHandles();
  await using folder = await tempFolder();
  const server = serve().service(EchoService, echoHandlers);
  const unix = await server.listen(`unix://${folder.file("guest.sock")}`);
  const monitor = await hybridProxy({
    path: folder.file("vm.sock"),
    connect: unixPorts({ 1024: folder.file("guest.sock") }),
  });
  const address = kind === "unix" ? unix : `hvsock://${folder.file("vm.sock")}:1024`;
  const child = spawn(process.execPath, ["--import", loader, script, address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  expect(said.toString()).toBe("done\n");
  expect(await exited).toEqual([0, null]);
  await monitor.close();
  await server.close();
  await allClosed();
});
