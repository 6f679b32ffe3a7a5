// Who started the program, where that was a package script. npx does not pass signals on to the script that it runs: who
// stops npx would otherwise leave the guest running with nobody who knows of it.
import { readFileSync } from "node:fs";

const lookEveryMs = 500;

/**
 * Calls `gone` once the script runner that started this program has lost its own parent. Does nothing for a program that no
 * package script started; keeps no process alive.
 */
export function whenStarterGone(gone: () => void): void {
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  const first = parentOf(parent);
  if (first === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === parent && parentOf(parent) === first) return;
    clearInterval(timer);
    gone();
  }, lookEveryMs);
  timer.unref();
}

function parentOf(pid: number): string | undefined {
  try {
    // The name, in brackets, may hold spaces: the state and the parent come after its last bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
  } catch {
    return undefined;
  }
}
