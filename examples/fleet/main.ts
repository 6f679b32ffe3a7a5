// Three guests behind one channel, under load: calls go to all in turn; one guest is killed, another one ends in order, the
// first one comes back; no call fails. Run by `npx -y pnpm@12 example:fleet`; ends with 0 only if all of that held.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createAddressList } from "@guestwire/grpc";
import { ServingStatus, watchFleet } from "@guestwire/health";
import { MachineService } from "@guestwire/machine";
import { createClient } from "@guestwire/rpc";
import { type GuestProcess, guestIn } from "./guest.js";
import { type Load, startLoad } from "./load.js";
import { check, fact, say, step, summary } from "./report.js";

const callers = 16;
const calls = 500;
let guests: readonly GuestProcess[] = [];
let folder = "";

/** Leaves no process and no folder behind. */
async function cleanUp(): Promise<(number | null)[]> {
  const codes = await Promise.all(guests.map((guest) => guest.end("SIGTERM")));
  if (folder !== "") await rm(folder, { recursive: true, force: true });
  return codes;
}

// Early ends: Ctrl-C, a reader that had enough, something that cannot begin or never happens.
let leaving = false;
function leave(exitCode: number, why?: string): void {
  if (leaving) return;
  leaving = true;
  if (why !== undefined) process.stderr.write(`example: ${why}\n`);
  void cleanUp().finally(() => process.exit(exitCode));
}
process.on("SIGINT", () => leave(130));
process.on("SIGTERM", () => leave(143));
process.on("SIGHUP", () => leave(129));
process.stdout.on("error", () => leave(1));
process.on("uncaughtException", (error) => leave(1, error.message));
setTimeout(() => leave(1, "something did not happen within a minute"), 60_000).unref();

say("Guestwire example: three guests, one channel, gRPC over unix sockets");

step("Start the guests and watch their health");
// The path of a socket has room for 107 bytes, and some folders for temporary files are deeper than that.
folder = mkdtempSync(join(Buffer.byteLength(tmpdir()) <= 75 ? tmpdir() : "/tmp", "guestwire-fleet-"));
const ada = guestIn(folder, "ada");
const bea = guestIn(folder, "bea");
const cyd = guestIn(folder, "cyd");
guests = [ada, bea, cyd];
await Promise.all(guests.map((guest) => guest.start()));
for (const { name, pid, address } of guests) {
  fact(name, `process ${pid}, ${address}`);
  await using direct = connect(address);
  await createClient(MachineService, direct).create({ name, cpus: 1, memory: 64n << 20n });
}
// The channel follows this list, and the fleet keeps those guests in it that say that they serve.
const list = createAddressList();
let changed = (): void => {};
const fleet = watchFleet({
  addresses: guests.map(({ address }) => address),
  list,
  connect: (address) => connect(address, { keepalive: { timeMs: 10_000, timeoutMs: 5_000 } }),
  onChange: () => changed(),
});
const nameOf = (address: string): string => guests.find((guest) => guest.address === address)?.name ?? address;
const inList = (): string => list.addresses.map(nameOf).join(" ");
/** Waits until the list has these guests and no others, all of them asked. */
const listHas = (...wanted: GuestProcess[]): Promise<void> =>
  new Promise((resolve) => {
    changed = () => {
      const serving = wanted.every(({ address }) => fleet.states.get(address)?.status === ServingStatus.SERVING);
      if (serving && list.addresses.length === wanted.length) resolve();
    };
    changed();
  });
await listHas(ada, bea, cyd);
check("all three are in the list", inList() === "ada bea cyd", inList());

step("Call them: round robin, idempotent calls are repeated");
const channel = connect(list, { loadBalancing: "round_robin", retries: true, timeoutMs: 30_000 });
const load = startLoad(channel, callers);
await everyoneAnswers(load, ada, bea, cyd);
load.count();
await everyoneAnswers(load, ada, bea, cyd);
const [fewest = 0, , most = 0] = [...load.answered.values()].sort((a, b) => a - b);
check("none has more than its share", most - fewest <= 2 * callers, `${fewest} to ${most}`);

step("Kill bea: kill -9, in the middle of its calls");
const killed = bea.end("SIGKILL");
await listHas(ada, cyd);
await killed;
check("it has left the list", inList() === "ada cyd", inList());
load.count();
await everyoneAnswers(load, ada, cyd);
check("no call has failed", load.failures.length === 0, load.failures[0]);

step("End cyd in order: SIGTERM");
let ended = false;
const code = cyd.end("SIGTERM").finally(() => {
  ended = true;
});
await listHas(ada);
check("it leaves the list before it goes", !ended && inList() === "ada", inList());
check("it ends cleanly", (await code) === 0, await code);
load.count();
await everyoneAnswers(load, ada);
check("no call has failed", load.failures.length === 0, load.failures[0]);

step("Start bea again, at the same address");
if (!leaving) await bea.start();
fact("bea", `process ${bea.pid}`);
await listHas(ada, bea);
load.count();
await everyoneAnswers(load, ada, bea);
check("no call has failed", load.failures.length === 0, load.failures[0]);

step("End");
await load.stop();
await channel.close();
await fleet.close();
fact("calls", `${load.total}`);
fact("failed", `${load.failures.length}`);
const pids = [ada, bea].map(({ pid }) => pid as number);
const codes = await cleanUp();
check("all guests have ended cleanly", codes.every((one) => one === 0) && !pids.some(isAlive), codes);
process.exitCode = summary() ? 0 : 1;

/** Waits until these guests have answered enough calls, and prints who answered how many. */
async function everyoneAnswers(running: Load, ...wanted: GuestProcess[]): Promise<void> {
  await running.until(
    wanted.map(({ name }) => name),
    calls,
  );
  fact("answered", guests.map(({ name }) => `${name} ${running.answered.get(name) ?? 0}`).join(", "));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
