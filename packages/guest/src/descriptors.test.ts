// A guest that has run out of file descriptors, as the program that users run.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { JobService } from "@guestwire/joblet";
import { createClient, RpcError } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { expect, test } from "vitest";
import { processesOf } from "./process/scope.js";
import { tokenOf } from "./state/state-folder.js";

const program = fileURLToPath(new URL("../bin/guestwire-guest.js", import.meta.url));

test("without descriptors jobs are refused one by one, and the guest goes on and ends what it started", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-few-"));
  const [state, address] = [join(folder, "state"), `unix://${join(folder, "s")}`];
  const command = ['ulimit -n 100; exec "$@"', "sh", process.execPath, program, "--state-dir", state];
  const child = spawn("/bin/sh", ["-c", ...command, "--listen", address], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  try {
    await once(createInterface({ input: child.stdout }), "line");
    await using channel = connect(address);
    const jobs = createClient(JobService, channel);
    const one = () => jobs.runJob({ command: "sh", args: ["-c", "trap '' TERM; while :; do sleep 0.1; done"] });
    const results = await Promise.allSettled(Array.from({ length: 80 }, one));
    const refused = results.flatMap((result) => (result.status === "rejected" ? [RpcError.from(result.reason)] : []));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.filter(({ reason }) => reason !== undefined)).toEqual([]);
    // Those that run are told, and can be stopped.
    const running = (await jobs.listJobs({})).jobs.filter(({ status }) => status === "RUNNING");
    expect(running).toHaveLength(80 - refused.length);
    for (const { uuid } of running.slice(1)) void jobs.stopJob({ uuid }).catch(() => {});
    child.kill("SIGTERM");
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    expect(processesOf(tokenOf(state))).toEqual([]);
  } finally {
    child.kill("SIGKILL");
    await exited;
    await rm(folder, { recursive: true, force: true });
  }
}, 30_000);
