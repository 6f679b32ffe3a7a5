// Processes as the messages of the protocol: how many of each state, and those that use most.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ProcessInfoSchema, ProcessMetricsSchema } from "@guestwire/joblet";
import { settledWithin } from "../../wait.js";
import { commandCharacters, kernelAnswerMs, topProcesses } from "../limits.js";
import type { ProcessFacts, ProcessSnapshot } from "./process-walk.js";
import { percent, type Roots, textAt } from "./roots.js";

type ProcessMessage = MessageInitShape<typeof ProcessInfoSchema>;

const ticksPerSecond = 100;

const states: Readonly<Record<string, { readonly word: string; readonly counts?: "running" | "stopped" | "zombie" }>> =
  {
    R: { word: "running", counts: "running" },
    S: { word: "sleeping" },
    D: { word: "disk-sleep" },
    I: { word: "idle" },
    T: { word: "stopped", counts: "stopped" },
    t: { word: "tracing-stop", counts: "stopped" },
    Z: { word: "zombie", counts: "zombie" },
    X: { word: "dead", counts: "zombie" },
  };

/**
 * The message.
 *
 * @param before Where use of processors counts from; for processes that were not there, and without it, from their start.
 */
export async function processMessage(
  now: ProcessSnapshot,
  before: ProcessSnapshot | undefined,
  roots: Roots,
): Promise<MessageInitShape<typeof ProcessMetricsSchema>> {
  const { processes } = now;
  const [uptime, stat, meminfo, passwd] = await Promise.all([
    textAt(roots.proc, "uptime"),
    textAt(roots.proc, "stat"),
    textAt(roots.proc, "meminfo"),
    textAt(roots.etc, "passwd"),
  ]);
  const machine = {
    upSeconds: Number.parseFloat(uptime) || 0,
    bootSeconds: Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0),
    memoryBytes: Number(/^MemTotal:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * 1024,
    users: new Map(
      passwd
        .split("\n")
        .map((line) => line.split(":"))
        .map(([name = "", , id = ""]) => [id, name]),
    ),
  };
  const last = new Map(before?.processes.map((process) => [keyOf(process), process.ticks]));
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
  const cpu = new Map(
    processes.map((process) => {
      const since = last.get(keyOf(process));
      const own = machine.upSeconds - process.startedAt / ticksPerSecond;
      return [process, since === undefined ? use(process.ticks, own) : use(process.ticks - since, seconds)];
    }),
  );
  const topByCpu = top(processes, (process) => cpu.get(process) ?? 0);
  const topByMemory = top(processes, ({ pages }) => pages);
  const chosen = [...new Set([...topByCpu, ...topByMemory])];
  const told = new Map(
    await Promise.all(
      chosen.map(async (process): Promise<[ProcessFacts, ProcessMessage]> => {
        const cpuPercent = cpu.get(process) ?? 0;
        return [process, { cpuPercent, ...(await describe(process, machine, roots)) }];
      }),
    ),
  );
  const counted = (kind: string): number => processes.filter(({ state }) => states[state]?.counts === kind).length;
  const [runningProcesses, stoppedProcesses, zombieProcesses] = ["running", "stopped", "zombie"].map(counted);
  return {
    totalProcesses: processes.length,
    runningProcesses: runningProcesses as number,
    sleepingProcesses: processes.filter(({ state }) => states[state]?.counts === undefined).length,
    stoppedProcesses: stoppedProcesses as number,
    zombieProcesses: zombieProcesses as number,
    totalThreads: processes.reduce((sum, { threads }) => sum + threads, 0),
    topByCpu: topByCpu.map((process) => told.get(process) as ProcessMessage),
    topByMemory: topByMemory.map((process) => told.get(process) as ProcessMessage),
  };
}

interface Machine {
  readonly bootSeconds: number;
  readonly memoryBytes: number;
  /** Names by ids. */
  readonly users: ReadonlyMap<string, string>;
}

async function describe(process: ProcessFacts, machine: Machine, { proc }: Roots): Promise<ProcessMessage> {
  const { pid, ppid, name, state } = process;
  const status = await textInTime(join(proc, String(pid), "status"));
  const line = (await textInTime(join(proc, String(pid), "cmdline"))).replace(/\0+$/, "").replaceAll("\0", " ");
  const memoryBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? "";
  return {
    pid,
    ppid,
    name,
    // Threads of the kernel and zombies have none; shown as ps does.
    command: line === "" ? `[${name}]` : line.slice(0, commandCharacters),
    memoryPercent: percent(memoryBytes, machine.memoryBytes),
    memoryBytes: BigInt(memoryBytes),
    status: states[state]?.word ?? state,
    startTime: new Date(machine.bootSeconds * 1000 + process.startedAt * (1000 / ticksPerSecond)).toISOString(),
    user: machine.users.get(uid) ?? uid,
  };
}

/** The kernel makes whoever reads these wait where the process hangs in it. */
async function textInTime(path: string): Promise<string> {
  const text = readFile(path, "utf8").catch(() => "");
  return (await settledWithin(text, kernelAnswerMs)) ? text : "";
}

/** Of one processor: several threads can use more than 100. */
function use(ticks: number, seconds: number): number {
  return seconds > 0 ? Math.max(0, Math.round((ticks / ticksPerSecond / seconds) * 10_000) / 100) : 0;
}

/** An id is used again; with the start it is not. */
function keyOf({ pid, startedAt }: ProcessFacts): string {
  return `${pid}@${startedAt}`;
}

function top(processes: readonly ProcessFacts[], by: (process: ProcessFacts) => number): ProcessFacts[] {
  return processes.toSorted((a, b) => by(b) - by(a) || a.pid - b.pid).slice(0, topProcesses);
}
