// The process of one end of one stack in one case: started by peer-process.ts, told what to do by messages.
import { type BenchCase, benchCases } from "./cases.js";
import { cpuMicros } from "./cpu.js";
import { Samples } from "./samples.js";
import type { Load, Stack } from "./stack.js";
import { loadStack } from "./stacks/index.js";

/** What the benchmark asks of a peer. */
export type PeerRequest =
  | { readonly do: "serve"; readonly socketPath: string }
  | { readonly do: "connect"; readonly socketPath: string }
  | { readonly do: "run"; readonly ms: number; readonly serverPid: number };

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
export type PeerAnswer =
  | { readonly ok: true; readonly figures?: RunFigures }
  | { readonly ok: false; readonly error: string };

const [stackName = "", caseName = ""] = process.argv.slice(2);
const samples = new Samples();
let load: Load | undefined;

async function measure(ms: number, serverPid: number): Promise<RunFigures> {
  if (load === undefined) throw new Error("not connected");
  samples.clear();
  const clientBefore = cpuMicros(process.pid);
  const serverBefore = cpuMicros(serverPid);
  const begin = performance.now();
  const calls = await load.run(begin + ms, samples);
  const seconds = (performance.now() - begin) / 1000;
  const clientCpuMicros = (cpuMicros(process.pid) - clientBefore) / calls;
  const serverCpuMicros = (cpuMicros(serverPid) - serverBefore) / calls;
  const [p50Micros = Number.NaN, p99Micros = Number.NaN] = samples.percentilesMicros(0.5, 0.99);
  return { perSecond: calls / seconds, clientCpuMicros, serverCpuMicros, p50Micros, p99Micros };
}

async function answer(stack: Stack, bench: BenchCase, request: PeerRequest): Promise<PeerAnswer> {
  if (request.do === "serve") await stack.serve(request.socketPath, bench);
  else if (request.do === "connect") load = await stack.connect(request.socketPath, bench);
  else return { ok: true, figures: await measure(request.ms, request.serverPid) };
  return { ok: true };
}

async function main(): Promise<void> {
  // Whoever started this process is gone: nobody will ever ask for anything.
  process.on("disconnect", () => process.exit());
  const bench = benchCases.find(({ name }) => name === caseName);
  if (bench === undefined) throw new Error(`no case is called "${caseName}"`);
  const stack = await loadStack(stackName);
  process.on("message", (request: PeerRequest) => {
    answer(stack, bench, request).then(
      (reply) => process.send?.(reply),
      (error: unknown) => process.send?.({ ok: false, error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  process.send?.({ ok: true } satisfies PeerAnswer);
}

await main();
