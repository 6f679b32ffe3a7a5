import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Bundle } from "@guestwire/bundle/vminitd";
import { createClient } from "@guestwire/rpc";
import { openStream } from "@guestwire/stdio/streams";
import { connect } from "@guestwire/ttrpc";
import { Task } from "@guestwire/types/task/v3";
import { expect, test } from "vitest";
import { createGuest } from "./guest.js";
import { errorOf, ociConfig } from "./guest.test.support.js";
import { closed } from "./task/task-streams.test.support.js";

// The built program, as users run it.
const program = fileURLToPath(new URL("../bin/guestwire-guest.js", import.meta.url));

test("the program takes raw streams where it is told to, and its death ends them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-cli-streams-"));
  const stateDir = join(folder, "state");
  const [rpc, raw] = [`unix://${folder}/guest.sock`, `unix://${folder}/streams.sock`];
  const args = ["--listen", rpc, "--streams", raw, "--state-dir", stateDir];
  const guest = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  for await (const line of createInterface({ input: guest.stdout })) if (lines.push(line) === 2) break;
  expect(lines).toEqual([`listening on ${rpc}`, `listening on ${raw} (raw streams)`]);

  await using channel = connect(rpc);
  const patience = { timeoutMs: 60_000 };
  const streams = await Promise.all([openStream(raw, patience), openStream(raw, patience), openStream(raw, patience)]);
  const [stdin, stdout] = streams;
  const files = { "config.json": ociConfig(["sh", "-c", "cat; sleep 1000"]) };
  const { bundle } = await createClient(Bundle, channel).create({ id: "one", files });
  const tasks = createClient(Task, channel);
  await tasks.create({ id: "one", bundle, stdin: stdin.url, stdout: stdout.url });
  await tasks.start({ id: "one" });
  stdin.write("echo");
  await once(stdout, "readable");
  expect(String(stdout.read())).toBe("echo");

  const waiting = errorOf(tasks.wait({ id: "one" }));
  const gone = Promise.all(streams.map(closed));
  guest.kill("SIGKILL");
  await gone;
  await waiting;
  // What the dead guest left running is ended by the next one.
  await (await createGuest({ stateDir })).close({ graceMs: 0 });
  await rm(folder, { recursive: true });
});
