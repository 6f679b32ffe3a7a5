// listenHybrid: where a guest's connections to its host arrive.
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { readAll, socketPath } from "./hybrid.test.support.js";
import { hybridListenPath } from "./hybrid-address.js";
import { listenHybrid } from "./hybrid-listen.js";

test("the path is the VMM's with the port", () => {
  expect(hybridListenPath("/run/vm.vsock", 9000)).toBe("/run/vm.vsock_9000");
  expect(hybridListenPath("/run/vm.vsock", 2 ** 32 - 2)).toBe("/run/vm.vsock_4294967294");
  expect(() => hybridListenPath("/run/vm.vsock", -1)).toThrow("the vsock port -1 is not a whole number");
  expect(() => hybridListenPath("", 1)).toThrow("must be a string that is not empty");
  expect(() => hybridListenPath(`/${"a".repeat(104)}`, 1)).not.toThrow();
  expect(() => hybridListenPath(`/${"a".repeat(104)}`, 10)).toThrow("has 108 bytes");
});

test("connections arrive as they are; the socket is private and goes with the server", async () => {
  const path = join(dirname(socketPath()), "deep", "er", "vm.sock");
  const server = await listenHybrid({ path, port: 9000 }, { backlog: 5 }, (socket) => void socket.end("welcome"));
  expect(statSync(`${path}_9000`).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  expect((await readAll(createConnection(`${path}_9000`))).toString()).toBe("welcome");
  await once(server.close(), "close");
  expect(existsSync(`${path}_9000`)).toBe(false);
});

test("a live socket is refused, a stale one is replaced, anything else is left alone", async () => {
  const path = socketPath();
  const first = await listenHybrid({ path, port: 1 });
  onTestFinished(() => void first.close());
  await expect(listenHybrid({ path, port: 1 })).rejects.toMatchObject({
    code: "EADDRINUSE",
    syscall: "listen",
    address: `${path}_1`,
  });

  const dead = new Worker(
    `const fs = require("node:fs"), path = ${JSON.stringify(`${path}_2`)};
     const server = require("node:net").createServer().listen(path + "x", () => {
       fs.renameSync(path + "x", path);
       server.close();
     });`,
    { eval: true },
  );
  await once(dead, "exit");
  expect(statSync(`${path}_2`).isSocket()).toBe(true);
  const second = await listenHybrid({ path, port: 2 });
  await once(second.close(), "close");

  writeFileSync(`${path}_3`, "");
  await expect(listenHybrid({ path, port: 3 })).rejects.toMatchObject({ code: "ENOTSOCK", address: `${path}_3` });
  expect(existsSync(`${path}_3`)).toBe(true);
});
