// Addresses that no waiting makes reachable end calls at once, with waitForReady as without, and with a code that is not
// repeated where that would be in vain.
import { execFile } from "node:child_process";
import { chmod } from "node:fs/promises";
import { promisify } from "node:util";
import { Code } from "@guestwire/rpc";
import { EchoService, echoHandlers, tempFolder } from "@guestwire/testkit";
import { expect, test } from "vitest";
import { serve } from "../src/server.js";

const loader = new URL("../../ttrpc/test/support/run-source.mjs", import.meta.url).pathname;
const script = new URL("./support/hopeless-client.ts", import.meta.url).pathname;

async function outcomes(address: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", loader, script, address]);
  return JSON.parse(stdout);
}

test("a missing package is Unimplemented", async () => {
  const address = "hvsock:///run/vm.sock:7";
  const expected = {
    code: Code.Unimplemented,
    reason: "connect_failed",
    rawMessage: `cannot connect to ${address}: ${address} needs the package @guestwire/vsock, which is not installed`,
    cause: Code.Unimplemented,
  };
  expect(await outcomes(address)).toEqual([expected, expected, expected, expected]);
});

test("a socket without permission is Unavailable", async () => {
  await using folder = await tempFolder();
  const server = serve().service(EchoService, echoHandlers);
  const address = await server.listen(`unix://${folder.file("s.sock")}`);
  await chmod(folder.file("s.sock"), 0);
  const expected = {
    code: Code.Unavailable,
    reason: "connect_failed",
    rawMessage: `cannot connect to ${address}: connect EACCES ${folder.file("s.sock")}`,
    cause: "EACCES",
  };
  expect(await outcomes(address)).toEqual([expected, expected, expected, expected]);
  await server.close();
});
