// Which processors a job may run on: the request's text checked, and the program that holds a job to them.
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { invalid, quoted, unsupported } from "../../errors.js";

// More than Linux can have.
const mostCores = 8192;

/**
 * Checks a list of cores, as `0-3` or `1,3,5`.
 *
 * @throws {RpcError} Code.InvalidArgument for another form or a core that this guest may not use; Code.Unimplemented
 * where the host has no `taskset`.
 */
export function checkCores(field: string, text: string): void {
  if (text === "") return;
  const own = readCores(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "");
  const wanted = readCores(text);
  if (wanted === undefined) throw invalid(field, `${quoted(text)} is no list of cores; write it as 0-3 or 1,3,5`);
  for (const core of wanted) {
    if (own !== undefined && !own.has(core)) throw invalid(field, `there is no core ${core} for jobs of this guest`);
  }
  if (tasksetPath() === undefined) throw unsupported(`${field}: this host has no taskset`);
}

/** What to put in front of a command to hold it to cores. @param text As checked; empty for all cores. */
export function coresPrefix(text: string): string[] {
  const taskset = text === "" ? undefined : tasksetPath();
  return taskset === undefined ? [] : [taskset, "-c", text];
}

function readCores(text: string): Set<number> | undefined {
  const cores = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first || last >= mostCores) return undefined;
    for (let core = first; core <= last; core++) cores.add(core);
  }
  return cores;
}

function tasksetPath(): string | undefined {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/bin"]) {
    const path = join(folder || ".", "taskset");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}
