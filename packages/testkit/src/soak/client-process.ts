// The client of a soak, as a process of its own: callers on every road, at the pace that it is told.
import { createClient } from "@guestwire/rpc";
import { connect } from "@guestwire/ttrpc";
import { EchoService } from "../echo/index.js";
import { SimRandom } from "../sim/random.js";
import { footprint } from "./footprint.js";
import { Load, type RoadCounts } from "./load.js";
import { LoopStall } from "./loop-stall.js";
import { profiles } from "./profiles.js";
import { answerQuestions, collectComplaints } from "./programs.js";

const complaints = collectComplaints();
const stall = new LoopStall();
const turnMs = 10;
let loads: Load[] = [];
let perSecond = 0;
let owed = 0;
let next = 0;
let timer: NodeJS.Timeout | undefined;

function turn(): void {
  for (owed += (perSecond * turnMs) / 1000; owed >= 1; owed--) loads[next++ % loads.length]?.begin();
  for (const load of loads) load.look();
}

function pause(): void {
  clearInterval(timer);
  timer = undefined;
}

answerQuestions({
  /** Does a little of everything and ends it, so that what Node opens once is open. */
  async warm({ address }: { address: string }) {
    await using channel = connect(address);
    await createClient(EchoService, channel).echo({});
  },
  start({ addresses, seed }: { addresses: Record<string, string>; seed: number }) {
    const random = new SimRandom(seed);
    stall.start();
    loads = profiles.map((profile) => new Load(profile, addresses[profile.name] as string, random.seed(), stall));
  },
  pace({ calls }: { calls: number }) {
    perSecond = calls;
    timer ??= setInterval(turn, turnMs);
  },
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  /** Lets all calls end, and tells what there is. */
  async quiet() {
    pause();
    await Promise.all(loads.map((load) => load.quiet()));
  },
  async state() {
    const roads: Record<string, RoadCounts> = {};
    for (const load of loads) {
      roads[load.profile.name] = load.counts;
      load.counts = { ok: 0, failed: 0, deadline: 0, canceled: 0 };
    }
    const problems = loads.flatMap((load) => load.problems);
    const { user, system } = process.cpuUsage();
    return { roads, problems, complaints, cpuMs: (user + system) / 1000, footprint: await footprint() };
  },
  async close() {
    pause();
    await Promise.all(loads.map((load) => load.close()));
    stall.stop();
    // Whatever ends with a socket's last event.
    await new Promise((resolve) => setTimeout(resolve, 100));
  },
});
