// Go's ttrpc as the host of our guest program, and as a guest for our typed clients: spinbox's services with the stubs of gen/go,
// the task API with containerd's own.
import { fileURLToPath } from "node:url";
import { Bundle } from "@guestwire/bundle/vminitd";
import { Code, createClient } from "@guestwire/rpc";
import { System } from "@guestwire/system/vminitd";
import { connect } from "@guestwire/ttrpc";
import { Task } from "@guestwire/types/task/v3";
import { Events } from "@guestwire/vmevents";
import { describe, expect, test } from "vitest";
import { goProgram } from "../go-tools.js";
import { startPeer } from "../matrix/peer-process.js";
import { failure } from "../matrix/server-case.js";
import { runClient } from "../peer-program.js";
import { type TempFolder, tempFolder } from "../temp-folder.js";

const guestProgram = fileURLToPath(new URL("../../../guest/bin/guestwire-guest.js", import.meta.url));
const spinbox = await goProgram("spinbox", { module: "go-guest" });
const containerd = await goProgram("containerd", { module: "go-guest" });

/** Starts our guest as users do. */
async function startGuest(folder: TempFolder) {
  const path = folder.file("g.sock");
  const args = [guestProgram, "--listen", `unix://${path}`, "--state-dir", folder.file("state")];
  const guest = startPeer(process.execPath, args);
  await guest.said(`listening on unix://${path}`);
  return {
    path,
    async [Symbol.asyncDispose]() {
      guest.kill("SIGTERM");
      expect((await guest.exited).code).toBe(0);
    },
  };
}

/** A runtime configuration of a process that ends with 7. */
const config = JSON.stringify({
  ociVersion: "1.2.0",
  root: { path: "rootfs" },
  process: {
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    args: ["sh", "-c", "exit 7"],
    env: ["PATH=/usr/bin:/bin"],
    cwd: "/",
  },
});

describe.skipIf(spinbox === undefined || containerd === undefined)("Go hosts and guests", () => {
  test("spinbox's services of our guest, called from Go: bundle, task, events, errors", async () => {
    await using folder = await tempFolder();
    await using guest = await startGuest(folder);
    await runClient(spinbox as string, ["client", guest.path, config]);
  });

  test("the task API of our guest, called by containerd's own stubs", async () => {
    await using folder = await tempFolder();
    await using guest = await startGuest(folder);
    await using channel = connect(`unix://${guest.path}`);
    const files = { "config.json": Buffer.from(config) };
    const { bundle } = await createClient(Bundle, channel).create({ id: "g2", files });
    await runClient(containerd as string, [guest.path, bundle]);
  });

  test("our typed clients with a guest in Go", async () => {
    await using folder = await tempFolder();
    const path = folder.file("s.sock");
    await using peer = startPeer(spinbox as string, ["server", path]);
    await peer.said("listening");
    const channel = connect(`unix://${path}`);
    const info = await createClient(System, channel).info({});
    expect(info).toMatchObject({ version: "1.2.3", kernelVersion: "6.12.0" });

    const bundles = createClient(Bundle, channel);
    const request = { id: "g1", files: { "config.json": Buffer.from(config) } };
    expect((await bundles.create(request)).bundle).toBe(`/run/g1/${config.length}`);
    const again = await failure(bundles.create(request));
    expect([again.code, again.rawMessage]).toEqual([Code.AlreadyExists, 'bundle "g1" is there already']);

    const tasks = createClient(Task, channel);
    expect((await failure(tasks.create({ id: "g1" }))).code).toBe(Code.InvalidArgument);
    expect((await tasks.create({ id: "g1", bundle: "/run/g1" })).pid).toBe(4711);
    expect((await tasks.start({ id: "g1" })).pid).toBe(4711);
    expect((await failure(tasks.wait({ id: "g1" }, { timeoutMs: 10 }))).code).toBe(Code.DeadlineExceeded);
    const waited = tasks.wait({ id: "g1" });
    await tasks.kill({ id: "g1", signal: 15 });
    expect(await waited).toMatchObject({ exitStatus: 143, exitedAt: { seconds: 5n, nanos: 7 } });

    const seen: string[] = [];
    for await (const { topic, namespace, event, timestamp } of createClient(Events, channel).stream({})) {
      seen.push(topic);
      expect([namespace, timestamp?.nanos]).toEqual(["default", 7]);
      expect(event?.typeUrl).toMatch(/containerd\.events\.TaskStart$/);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(Array.from({ length: 3 }, () => "/tasks/start"));
    // Go's handler of a stream of responses hears of the end only when the connection ends.
    await channel.close();
    await peer.said("events are over");
  });
});
