// The process of one end of one stack in one case: started by peer-process.ts, told what to do by messages.
import { benchCases } from "./cases.js";
import { cpuMicros } from "./cpu.js";
import { bareName, featuresOf, fullDress } from "./features.js";
import { type LoopDelay, type Memory, memoryInUse, watchLoop } from "./observe.js";
import { Samples } from "./samples.js";
import type { DressedCase, Load, Stack } from "./stack.js";
import { loadStack } from "./stacks/index.js";

/** What the benchmark asks of a peer. */
export type PeerRequest =
  | { readonly do: "serve"; readonly socketPath: string }
  | { readonly do: "connect"; readonly socketPath: string }
  | { readonly do: "run"; readonly ms: number; readonly serverPid: number }
  /** Open as many streams or connections, use each once, and leave them alone. */
  | { readonly do: "open"; readonly count: number; readonly serverPid: number }
  /** Say what memory is in use. */
  | { readonly do: "memory" }
  /** Begin to watch the event loop, and say how late it was since. */
  | { readonly do: "watch" }
  | { readonly do: "watched" };

/** What came of one run, summed up over all its calls. */
export interface RunFigures {
  readonly perSecond: number;
  /** CPU of the client per call, in microseconds; NaN where the system does not tell. */
  readonly clientCpuMicros: number;
  readonly serverCpuMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** A peer's answer. */
export type PeerAnswer = ({ readonly ok: true } & PeerReport) | { readonly ok: false; readonly error: string };

/** What a peer was asked for. */
export interface PeerReport {
  readonly figures?: RunFigures;
  readonly memory?: Memory;
  readonly loopDelay?: LoopDelay;
}

const [stackName = "", caseName = ""] = process.argv.slice(2);
const samples = new Samples();
let load: Load | undefined;
let endWatch: (() => LoopDelay) | undefined;
let loopDelay: LoopDelay | undefined;

async function measure(serverPid: number, work: (load: Load) => Promise<number>): Promise<RunFigures> {
  if (load === undefined) throw new Error("not connected");
  samples.clear();
  const clientBefore = cpuMicros(process.pid);
  const serverBefore = cpuMicros(serverPid);
  const begin = performance.now();
  const calls = await work(load);
  const seconds = (performance.now() - begin) / 1000;
  // What follows is no part of the load: sorting a million samples stops the event loop for longer than any call.
  lookAtLoop();
  const clientCpuMicros = (cpuMicros(process.pid) - clientBefore) / calls;
  const serverCpuMicros = (cpuMicros(serverPid) - serverBefore) / calls;
  const [p50Micros = Number.NaN, p99Micros = Number.NaN] = samples.percentilesMicros(0.5, 0.99);
  return { perSecond: calls / seconds, clientCpuMicros, serverCpuMicros, p50Micros, p99Micros };
}

async function answer(stack: Stack, bench: DressedCase, request: PeerRequest): Promise<PeerReport> {
  switch (request.do) {
    case "serve":
      await stack.serve(request.socketPath, bench);
      return {};
    case "connect":
      load = await stack.connect(request.socketPath, bench);
      return {};
    case "run":
      return {
        figures: await measure(request.serverPid, ({ run }) => run(performance.now() + request.ms, samples)),
      };
    case "open":
      return { figures: await measure(request.serverPid, (opener) => openAll(opener, request.count)) };
    case "memory":
      return { memory: await memoryInUse() };
    case "watch":
      loopDelay = undefined;
      endWatch = watchLoop();
      return {};
    case "watched":
      lookAtLoop();
      return loopDelay === undefined ? {} : { loopDelay };
  }
}

/** Ends the watch over the event loop where there is one. */
function lookAtLoop(): void {
  loopDelay = endWatch?.() ?? loopDelay;
  endWatch = undefined;
}

async function openAll({ open }: Load, count: number): Promise<number> {
  if (open === undefined) throw new Error("there is nothing to leave idle");
  await open(count, samples);
  return count;
}

async function main(): Promise<void> {
  // Whoever started this process is gone: nobody will ever ask for anything.
  process.on("disconnect", () => process.exit());
  const bench = benchCases.find(({ name }) => name === caseName);
  if (bench === undefined) throw new Error(`no case is called "${caseName}"`);
  const stack = await loadStack(bareName(stackName));
  const dressed: DressedCase = {
    ...bench,
    features: new Set([...featuresOf(stackName), ...(bench.full ? fullDress : [])]),
  };
  process.on("message", (request: PeerRequest) => {
    answer(stack, dressed, request).then(
      (report) => process.send?.({ ok: true, ...report } satisfies PeerAnswer),
      (error: unknown) => process.send?.({ ok: false, error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  process.send?.({ ok: true } satisfies PeerAnswer);
}

await main();
