import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MachineService } from "@guestwire/machine";
import { createClient } from "@guestwire/rpc";
import { SystemInfo } from "@guestwire/system";
import { connect } from "@guestwire/ttrpc";
import { Events } from "@guestwire/vmevents";
import { afterAll, beforeAll, expect, test } from "vitest";
import { processesOf } from "./process/scope.js";
import { tokenOf } from "./state/state-folder.js";
import { version } from "./version.js";

// The built program, as users run it.
const program = fileURLToPath(new URL("../bin/guestwire-guest.js", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-cli-"));
});

afterAll(() => rm(folder, { recursive: true }));

function launch(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const own = { PATH: process.env["PATH"], HOME: folder, TMPDIR: folder, ...env };
  return spawn(process.execPath, [program, ...args], { env: own, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs the program to its end. */
async function run(args: readonly string[], env?: NodeJS.ProcessEnv) {
  const child = launch(args, env);
  const all = async (stream: AsyncIterable<unknown> | null): Promise<string> => {
    let text = "";
    for await (const data of stream ?? []) text += data;
    return text;
  };
  const out = all(child.stdout);
  const err = all(child.stderr);
  const [code] = await once(child, "close");
  return { code, out: await out, err: await err };
}

/** Starts the program and waits for the lines that tell its addresses. */
async function start(args: readonly string[], count = 1, env?: NodeJS.ProcessEnv) {
  const child = launch(args, env);
  const addresses: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    addresses.push(line.replace(/^listening on /, ""));
    if (addresses.length === count) break;
  }
  const exited = once(child, "exit");
  return {
    addresses,
    async end(signal: NodeJS.Signals = "SIGTERM") {
      child.kill(signal);
      return (await exited)[0];
    },
  };
}

test("help and version are printed", async () => {
  const help = await run(["--help"]);
  expect(help).toMatchObject({ code: 0, err: "" });
  for (const option of ["--listen", "--state-dir", "--manage-hardware", "--version"])
    expect(help.out).toContain(option);
  expect(await run(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
});

test("it listens on all addresses, private, and removes its sockets at the end", async () => {
  const path = join(folder, "a/guest.sock");
  const state = join(folder, "state");
  const listen = ["--listen", `unix://${path}`, "--listen", "tcp://127.0.0.1:0"];
  const { addresses, end } = await start([...listen, "--state-dir", state], 2);
  expect(addresses[0]).toBe(`unix://${path}`);
  expect(addresses[1]).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  expect(((await stat(path)).mode & 0o777).toString(8)).toBe("600");
  for (const address of addresses) {
    await using channel = connect(address);
    expect((await createClient(SystemInfo, channel).systemInfo({})).cpuCount).toBeGreaterThan(0);
  }
  expect(await end()).toBe(0);
  expect(existsSync(path)).toBe(false);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("on %s streams end and machines stop", async (signal) => {
  const state = join(folder, signal);
  const { addresses, end } = await start(["--listen", `unix://${state}.sock`, "--state-dir", state]);
  await using channel = connect(addresses[0] as string);
  const events = createClient(Events, channel).stream({});
  const machines = createClient(MachineService, channel);
  await machines.create({ name: "m" });
  await machines.start({ id: "m" });
  const output = machines.exec({ id: "m", cmd: ["sh", "-c", "echo up; exec sleep 1000"] });
  await output.next();
  const exit = end(signal);
  expect((await output.next()).value).toMatchObject({ done: true, exitCode: 143 });
  await output.return?.();
  expect((await events.next()).done).toBe(true);
  expect(await exit).toBe(0);
  expect(processesOf(tokenOf(state))).toEqual([]);
});

test("when the guest is killed its machines end by themselves", async () => {
  const state = join(folder, "killed");
  const { addresses, end } = await start(["--listen", `unix://${state}.sock`, "--state-dir", state]);
  const channel = connect(addresses[0] as string);
  const machines = createClient(MachineService, channel);
  await machines.create({ name: "m" });
  await machines.start({ id: "m" });
  expect(processesOf(tokenOf(state))).toHaveLength(1);
  await end("SIGKILL");
  await channel.close();
  while (processesOf(tokenOf(state)).length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("without an address it listens in the user's runtime folder, with its state below the state home", async () => {
  const env = { XDG_RUNTIME_DIR: join(folder, "run"), XDG_STATE_HOME: join(folder, "xdg") };
  const { addresses, end } = await start([], 1, env);
  expect(addresses).toEqual([`unix://${join(folder, "run/guestwire/guest.sock")}`]);
  expect(existsSync(join(folder, "xdg/guestwire/guest/bundles"))).toBe(true);
  expect(await end()).toBe(0);
});

test("without a runtime folder it makes a private one, and uses no other", async () => {
  const { addresses, end } = await start([]);
  const own = join(folder, `guestwire-${process.getuid?.()}`);
  expect(addresses).toEqual([`unix://${own}/guest.sock`]);
  expect(((await stat(own)).mode & 0o777).toString(8)).toBe("700");
  expect(existsSync(join(folder, ".local/state/guestwire/guest"))).toBe(true);
  expect(await end()).toBe(0);
  await chmod(own, 0o755);
  const open = await run([]);
  expect(open.code).toBe(1);
  expect(open.err).toContain("is not private");
});

test("what is wrong is said in one line, with exit code 1", async () => {
  const used = join(folder, "used.sock");
  const { end } = await start(["--listen", `unix://${used}`, "--state-dir", join(folder, "s1")]);
  await mkdir(join(folder, "s2"));
  await writeFile(join(folder, "file"), "");
  const state = ["--state-dir", join(folder, "s2")];
  const cases: [string[], RegExp][] = [
    [["--listen", `unix://${used}`, ...state], /used\.sock is in use already$/],
    [["--listen", `unix://${join(folder, "file")}`, ...state], /is not a socket$/],
    [["--listen", "http://x", ...state], /http:\/\/x/],
    [["--listen", `unix://${join(folder, "ok.sock")}`, "--listen", "tcp://x", ...state], /tcp:\/\/x/],
    [["--listen", `unix://${join(folder, "x.sock")}`, "--state-dir", join(folder, "s1")], /another guest/],
    [["--listen", "tcp://x:1", "--state-dir", ""], /the path is empty/],
    [["--listen", "tcp://x:1", "--state-dir", program], /it is not a folder/],
    // Node's own recursive mkdir never ends there.
    [["--listen", "tcp://x:1", "--state-dir", "/proc/none/state"], /state folder \/proc\/none\/state: ENOENT/],
    [["--nonsense"], /'--nonsense'; see --help$/],
    [["--listen"], /--listen/],
    [["now"], /'now'/],
  ];
  for (const [args, text] of cases) {
    const { code, out, err } = await run(args);
    expect(err).toMatch(/^guestwire-guest: [^\n]+\n$/);
    expect(err.trim()).toMatch(text);
    expect(code).toBe(1);
    expect(out).not.toContain("tcp://x");
  }
  expect(existsSync(join(folder, "ok.sock"))).toBe(false);
  expect(await end("SIGINT")).toBe(0);
});

test("ends when a package script started it and whoever ran the script is gone, as npx that was stopped", async () => {
  const address = `unix://${join(folder, "npx.sock")}`;
  const guest = `${process.execPath} ${program} --listen ${address} --state-dir ${join(folder, "npx")}`;
  // As npx (outer) runs pnpm (inner), which runs the guest; the colons keep the shells from becoming what they run.
  const inner = `sh -c '${guest}; :'`;
  const env = { PATH: process.env["PATH"], HOME: folder, npm_lifecycle_event: "guest" };
  const npx = spawn("sh", ["-c", `${inner}; :`], { env, stdio: ["ignore", "pipe", "ignore"] });
  const lines = createInterface({ input: npx.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe(`listening on ${address}`);
  npx.kill("SIGTERM");
  // Its output ends with the guest, which holds the other end.
  expect((await lines.next()).done).toBe(true);
  expect(existsSync(join(folder, "npx.sock"))).toBe(false);
});
