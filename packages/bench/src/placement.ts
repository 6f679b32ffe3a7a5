// Puts processes on cores, and keeps the cores awake. Linux with util-linux only; elsewhere processes run where they like.
// Why it matters is in README.md: without it a figure says more about the machine than about the library.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Placement } from "./cases.js";

/** What can be done about placement on this machine. */
export interface Placer {
  /** What the reader of the figures has to know. */
  readonly notes: readonly string[];
  /** The words to put in front of a command line, so that it runs on the core of this end. */
  prefix(end: "client" | "server", placement: Placement): readonly string[];
  /** Keeps the cores awake while processes on different ones talk. Gives the way to stop it. */
  keepAwake(placement: Placement): () => void;
}

/** Looks at what this machine offers. */
export function createPlacer(): Placer {
  const cores = allowedCores();
  const [clientCore, otherCore] = cores;
  const canPin = clientCore !== undefined && works("taskset", ["-c", String(clientCore), "true"]);
  const canIdle = canPin && works("chrt", ["-i", "0", "true"]);
  const notes: string[] = [];
  if (!canPin) notes.push("taskset (util-linux) is missing: processes are not bound to cores, so figures vary more");
  else if (otherCore === undefined) notes.push("there is one core only: the cross cases run on it, and mean the same");
  if (canPin && !canIdle) notes.push("chrt (util-linux) is missing: cores fall asleep, so cross cases look slower");
  if (process.platform !== "linux") notes.push("this is not Linux: CPU time is not known, only calls per second");
  const serverCore = (placement: Placement): number | undefined =>
    placement === "cross" ? (otherCore ?? clientCore) : clientCore;
  return {
    notes,
    prefix(end, placement) {
      if (!canPin) return [];
      return ["taskset", "-c", String(end === "client" ? clientCore : serverCore(placement))];
    },
    keepAwake(placement) {
      if (!canIdle || placement === "same") return () => {};
      const spinners = new Set([clientCore, serverCore(placement)].map((core) => spin(core as number)));
      return () => {
        for (const spinner of spinners) spinner.kill("SIGKILL");
      };
    },
  };
}

/** A process that uses what nobody else wants of a core. It ends by itself when this process is gone. */
function spin(core: number): ChildProcess {
  const rounds = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
  const script = `while kill -0 ${process.pid} 2>/dev/null; do ${rounds}; done`;
  return spawn("taskset", ["-c", String(core), "chrt", "-i", "0", "sh", "-c", script], { stdio: "ignore" });
}

/** The cores that this process may run on: in a container often not all. */
function allowedCores(): number[] {
  let list: string | undefined;
  try {
    list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  } catch {
    return [];
  }
  return (list ?? "").split(",").flatMap((part) => {
    const [from = "", to = from] = part.split("-");
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i);
  });
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}
