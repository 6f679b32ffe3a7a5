// One soak: a client process, servers and proxies for some time, measured in between and checked at the end.
import { setTimeout as sleep } from "node:timers/promises";
import { SimRandom } from "../sim/random.js";
import { tempFolder } from "../temp-folder.js";
import { type ChaosProxy, startChaosProxy } from "./chaos-proxy.js";
import { difference, growth } from "./footprint.js";
import type { RoadCounts } from "./load.js";
import { startMortalServer } from "./mortal.js";
import { profiles } from "./profiles.js";
import { type ProcessState, type Program, startProgram } from "./programs.js";

/** What to run. */
export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Processor time that client, server and proxy may use together, as a part of one processor. */
  readonly load: number;
  /** Told of each round. */
  readonly row?: (row: SoakRow) => void;
}

/** The state of things after a round, when no call runs. */
export interface SoakRow {
  readonly seconds: number;
  readonly counts: RoadCounts;
  /** What has been done to connections and servers so far. */
  readonly faults: ReadonlyMap<string, number>;
  readonly cpuShare: number;
  readonly client: ProcessState;
  readonly server: ProcessState;
}

/** What came of it. */
export interface SoakResult {
  readonly calls: number;
  readonly rows: readonly SoakRow[];
  /** By how much each heap grew, in bytes. */
  readonly clientGrowth: number;
  readonly serverGrowth: number;
  /** How calls ended on each road. */
  readonly roads: ReadonlyMap<string, RoadCounts>;
  /** What was wrong; empty when all is well. */
  readonly problems: readonly string[];
}

interface ClientState extends ProcessState {
  readonly roads: Record<string, RoadCounts>;
  readonly problems: readonly string[];
}

interface ServerState extends ProcessState {
  readonly connections: number;
  readonly runningCalls: number;
}

const roundMs = 10_000;
// Compiled code and inline caches grow for a while; what leaks grows on.
const mostGrowth = 2e6;

/** Runs a soak. */
export async function runSoak({ seconds, seed, load, row }: SoakOptions): Promise<SoakResult> {
  const random = new SimRandom(seed);
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const server = stack.use(startProgram("server-process"));
  const client = stack.use(startProgram("client-process"));
  const address = await server.ask<string>({ ask: "listen", address: `unix://${folder.file("s")}` });
  await client.ask({ ask: "warm", address });
  const before = { client: await client.ask<ClientState>({ ask: "state" }), server: await serverAtRest(server) };

  const mortalAddress = `unix://${folder.file("m")}`;
  const mortal = stack.use(await startMortalServer(mortalAddress, random.seed()));
  const addresses: Record<string, string> = {};
  const proxies: ChaosProxy[] = [];
  for (const { name, server: which, faults, tcp } of profiles) {
    addresses[name] = which === "steady" ? address : mortalAddress;
    const seedOf = random.seed();
    if (faults === undefined) continue;
    const path = tcp ? {} : { path: folder.file(name) };
    const proxy = stack.use(
      await startChaosProxy({ target: folder.file("s"), ...path, faults: new Set(faults), seed: seedOf }),
    );
    proxies.push(proxy);
    addresses[name] = proxy.address;
  }
  await client.ask({ ask: "start", addresses, seed: random.seed() });

  const problems: string[] = [];
  const rows: SoakRow[] = [];
  const roads = new Map<string, RoadCounts>(profiles.map(({ name }) => [name, noCalls()]));
  const beganAt = performance.now();
  const pacer = new Pacer(client, server, load);
  let rest = seconds * 1000;
  while (rest > 0) {
    const share = await pacer.run(Math.min(rest, roundMs));
    await client.ask({ ask: "quiet" });
    const state = { client: await client.ask<ClientState>({ ask: "state" }), server: await serverAtRest(server) };
    if (state.server.runningCalls > 0) problems.push(`${state.server.runningCalls} handlers run without a call`);
    const elapsed = performance.now() - beganAt;
    const counts = noCalls();
    for (const [name, road] of Object.entries(state.client.roads)) {
      add(counts, road);
      add(roads.get(name) as RoadCounts, road);
    }
    const faults = sumOf(proxies.map(({ done }) => done));
    for (const [name, times] of Object.entries(mortal.done)) faults.set(name, times);
    const told = { seconds: elapsed / 1000, counts, faults, cpuShare: share, ...state };
    rows.push(told);
    row?.(told);
    rest = seconds * 1000 - elapsed;
  }

  await client.ask({ ask: "close" });
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
  const lastClient = await client.ask<ClientState>({ ask: "state" });
  const lastServer = await serverAtRest(server, true);
  problems.push(...lastClient.problems, ...lastClient.complaints.map((text) => `client: ${text}`));
  problems.push(...lastServer.complaints.map((text) => `server: ${text}`));
  problems.push(...difference(before.client.footprint, lastClient.footprint).map((text) => `client: ${text}`));
  problems.push(...difference(before.server.footprint, lastServer.footprint).map((text) => `server: ${text}`));
  if (lastServer.connections > 0) problems.push(`server: ${lastServer.connections} connections are left`);
  for (const [name, road] of roads) if (road.ok === 0) problems.push(`${name}: no call succeeded`);
  const heaps = (of: "client" | "server"): number[] => rows.slice(1).map((each) => each[of].footprint.heapBytes);
  const [clientGrowth, serverGrowth] = [growth(heaps("client")), growth(heaps("server"))];
  for (const [name, bytes] of Object.entries({ client: clientGrowth, server: serverGrowth })) {
    if (bytes > mostGrowth) problems.push(`${name}: the heap grew by ${(bytes / 1e6).toFixed(1)} MB`);
  }
  await server.ask({ ask: "close" });
  const calls = [...roads.values()].reduce(
    (sum, road) => sum + road.ok + road.failed + road.deadline + road.canceled,
    0,
  );
  return { calls, rows, clientGrowth, serverGrowth, roads, problems };
}

/** Keeps the processor's load where it should be. */
class Pacer {
  readonly #client: Program;
  readonly #server: Program;
  readonly #load: number;
  #perSecond = 300;

  constructor(client: Program, server: Program, load: number) {
    this.#client = client;
    this.#server = server;
    this.#load = load;
  }

  /** Lets callers run for so long. Gives the share of one processor that was used. */
  async run(ms: number): Promise<number> {
    const began = performance.now();
    const firstCpu = await this.#cpuMs();
    let [at, cpu] = [began, firstCpu];
    while (performance.now() - began < ms) {
      this.#client.tell({ ask: "pace", calls: this.#perSecond });
      await sleep(Math.min(1000, ms));
      const [now, used] = [performance.now(), await this.#cpuMs()];
      const share = (used - cpu) / (now - at);
      this.#perSecond *= Math.min(Math.max(this.#load / Math.max(share, 0.01), 0.7), 1.3);
      this.#perSecond = Math.min(Math.max(this.#perSecond, 20), 5000);
      [at, cpu] = [now, used];
    }
    return (cpu - firstCpu) / (at - began);
  }

  async #cpuMs(): Promise<number> {
    const { user, system } = process.cpuUsage();
    const others = await Promise.all([this.#client, this.#server].map((each) => each.ask<number>({ ask: "cpu" })));
    return others.reduce((sum, each) => sum + each, (user + system) / 1000);
  }
}

/** The server's state once its calls have ended, or after some seconds in which they did not. */
async function serverAtRest(server: Program, alone = false): Promise<ServerState> {
  const until = performance.now() + 10_000;
  for (;;) {
    const { connections, runningCalls } = await server.ask<ServerState>({ ask: "counts" });
    if ((runningCalls === 0 && !(alone && connections > 0)) || performance.now() > until) break;
    await sleep(20);
  }
  return await server.ask<ServerState>({ ask: "state" });
}

function noCalls(): RoadCounts {
  return { ok: 0, failed: 0, deadline: 0, canceled: 0 };
}

function add(sum: RoadCounts, more: RoadCounts): void {
  sum.ok += more.ok;
  sum.failed += more.failed;
  sum.deadline += more.deadline;
  sum.canceled += more.canceled;
}

function sumOf(maps: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const map of maps) for (const [name, count] of map) sums.set(name, (sums.get(name) ?? 0) + count);
  return sums;
}
