// Runs cases: for each, all stacks are started and warmed up, then measured in turns, so that whatever slows the machine
// down for a while hits all of them alike. Prints nothing.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchCase } from "./cases.js";
import { type Idle, measureIdle } from "./idle.js";
import { stacksFor } from "./left-out.js";
import type { RunFigures } from "./peer.js";
import { type Ends, PeerProcess } from "./peer-process.js";
import type { Placer } from "./placement.js";
import { beginWatch, type Watch, type Watched } from "./watch.js";

/** How long and how often to measure. */
export interface BenchOptions {
  readonly cases: readonly BenchCase[];
  readonly stacks: readonly string[];
  /** How often each stack is measured in each case. */
  readonly rounds: number;
  /** How long a stack works before it is first measured, in milliseconds: long enough for its code to be compiled. */
  readonly warmUpMs: number;
  /** How long one measurement takes, in milliseconds. */
  readonly windowMs: number;
  /** Where the programs of those stacks are that do not run in Node, by the stacks' names. */
  readonly programs: ReadonlyMap<string, string>;
  /** The folder for CPU profiles of all processes; `undefined` for none. */
  readonly profileFolder: string | undefined;
}

/** What came of one stack in one case. */
export interface Outcome {
  readonly bench: BenchCase;
  readonly stack: string;
  /** One entry per round. Empty when the stack failed. */
  readonly rounds: readonly RunFigures[];
  /** How the processes were under the load, where the case asks for it. */
  readonly watched: Watched | undefined;
  /** What idles costs, where the case is about it. */
  readonly idle: Idle | undefined;
  /** Why there are no figures. */
  readonly error: Error | undefined;
}

/** Tells how far the benchmark is. */
export type Progress = (bench: BenchCase, done: number, all: number) => void;

interface Pair {
  readonly stack: string;
  readonly rounds: RunFigures[];
  watch: Watch | undefined;
  watched: Watched | undefined;
  idle: Idle | undefined;
  client: PeerProcess | undefined;
  server: PeerProcess | undefined;
  error: Error | undefined;
}

type Running = Pair & Ends;

// Beside its window, a run may wait for calls that are under way; on a busy machine that takes a while.
const graceMs = 60_000;
const briefRounds = 3;
const briefWarmUpMs = 800;
const stopMs = 5000;

/** Measures all stacks in all cases. One that fails has no figures and does not disturb the others. */
export async function runBench(options: BenchOptions, placer: Placer, progress: Progress): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [i, bench] of options.cases.entries()) {
    progress(bench, i, options.cases.length);
    outcomes.push(...(await runCase(bench, options, placer)));
  }
  return outcomes;
}

async function runCase(bench: BenchCase, options: BenchOptions, placer: Placer): Promise<Outcome[]> {
  const folder = await mkdtemp(join(tmpdir(), "guestwire-bench-"));
  const pairs = stacksFor(bench, options.stacks).map((stack): Pair => {
    const nothing = { client: undefined, server: undefined, watch: undefined, watched: undefined, idle: undefined };
    return { stack, rounds: [], ...nothing, error: undefined };
  });
  const awake = placer.keepAwake(bench.placement);
  try {
    await Promise.all(pairs.map((pair) => attempt(pair, () => startPair(pair, bench, folder, options, placer))));
    if (bench.idle > 0) await leaveIdle(pairs, bench);
    else await keepBusy(pairs, bench, options);
  } finally {
    awake();
    await Promise.all(pairs.flatMap(({ client, server }) => [client?.stop(stopMs), server?.stop(stopMs)]));
    await rm(folder, { recursive: true, force: true });
  }
  return pairs.map(({ stack, rounds, watched, idle, error }) => {
    const failed = error !== undefined;
    return {
      bench,
      stack,
      rounds: failed ? [] : rounds,
      watched: failed ? undefined : watched,
      idle: failed ? undefined : idle,
      error,
    };
  });
}

async function keepBusy(pairs: readonly Pair[], bench: BenchCase, options: BenchOptions): Promise<void> {
  const rounds = bench.brief ? Math.min(options.rounds, briefRounds) : options.rounds;
  const windowMs = bench.brief ? Math.ceil(options.windowMs / 2) : options.windowMs;
  // With one call at a time it takes twice as long until the code that matters is compiled.
  const patience = bench.kind === "unary" && bench.inFlight === 1 ? 2 : 1;
  const warmUpMs = patience * (bench.brief ? Math.min(options.warmUpMs, briefWarmUpMs) : options.warmUpMs);
  await eachInTurn(pairs, async (pair) => {
    if (bench.watched) pair.watch = beginWatch(pair as Running);
    await measure(pair, warmUpMs);
  });
  for (let round = 0; round < rounds; round++) {
    // Every other round backwards, so that no stack always comes after the same one.
    await eachInTurn(round % 2 === 0 ? pairs : pairs.toReversed(), async (pair) => {
      pair.rounds.push(await measure(pair, windowMs));
    });
  }
  await eachInTurn(pairs, async (pair) => {
    pair.watched = await pair.watch?.end(() => measure(pair, windowMs), graceMs);
  });
}

async function leaveIdle(pairs: readonly Pair[], bench: BenchCase): Promise<void> {
  await eachInTurn(pairs, async (pair) => {
    const idle = await measureIdle(pair as Running, bench.idle, graceMs);
    pair.idle = idle;
    pair.rounds.push(idle.figures);
  });
}

async function startPair(
  pair: Pair,
  bench: BenchCase,
  folder: string,
  { profileFolder, programs }: BenchOptions,
  placer: Placer,
): Promise<void> {
  const { stack } = pair;
  const start = (end: "client" | "server"): Promise<PeerProcess> => {
    const prefix = placer.prefix(end, bench.placement);
    const program = programs.get(stack);
    if (program !== undefined) return PeerProcess.startProgram(program, bench, prefix, graceMs);
    const memory = bench.idle > 0 ? ["--expose-gc"] : [];
    const profile =
      profileFolder === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${bench.name}.${stack}.${end}.cpuprofile`];
    return PeerProcess.start(stack, bench, prefix, [...memory, ...profile], graceMs);
  };
  const socketPath = join(folder, `${stack}.sock`);
  pair.server = await start("server");
  await pair.server.ask({ do: "serve", socketPath }, graceMs);
  pair.client = await start("client");
  await pair.client.ask({ do: "connect", socketPath }, graceMs);
}

async function measure(pair: Pair, ms: number): Promise<RunFigures> {
  const { client, server } = pair as Running;
  const { figures } = await client.ask({ do: "run", ms, serverPid: server.pid }, ms + graceMs);
  return figures as RunFigures;
}

async function eachInTurn(pairs: readonly Pair[], task: (pair: Pair) => Promise<unknown>): Promise<void> {
  for (const pair of pairs) if (pair.error === undefined) await attempt(pair, () => task(pair));
}

async function attempt(pair: Pair, task: () => Promise<unknown>): Promise<void> {
  try {
    await task();
  } catch (error) {
    pair.error = error as Error;
  }
}
