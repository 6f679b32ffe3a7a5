// Test (a): the matrix of packages/vsock/test/vm on every Node, over vsock_loopback in a VM. One VM for all of them, which has
// two processors: two lanes of runs, one after the other in each.
import { join } from "node:path";
import { bootVm } from "./boot.js";
import type { Checks } from "./checks.js";
import { quote } from "./init-script.js";
import { type Node, nodes } from "./nodes.js";
import { repositoryRoot, type VmParts } from "./parts.js";
import { readTestCounts } from "./test-counts.js";

/** The modules for vsock inside one VM; vhost_vsock is for a guest that never answers, which a test makes up. */
export const loopbackModules: readonly string[] = ["vsock_loopback", "vhost_vsock"];

/** One run of tests. */
interface Run {
  readonly name: string;
  readonly command: string;
}

/** What is known of a lane while it runs. */
interface Lane {
  readonly left: Run[];
  lines: string[];
  began: number;
}

const mark = "gw-run-ended";
const tests = join(repositoryRoot, "packages", "vsock", "test", "vm");

/** Runs the matrix. */
export async function loopback(checks: Checks, parts: VmParts): Promise<void> {
  const all = await nodes([22, 24, 26]);
  const [oldest, middle, newest] = all as [Node, Node, Node];
  const lanes: readonly (readonly Run[])[] = [
    [run(oldest, "koffi"), run(middle, "koffi"), run(newest, "koffi")],
    [run(middle, "koffi", { file: "many.test.mjs", connections: 10_000 }), run(newest, "node-ffi")],
  ];
  const states = lanes.map((runs): Lane => ({ left: [...runs], lines: [], began: 0 }));
  checks.title("AF_VSOCK over loopback in a VM");
  await using vm = await bootVm(parts, {
    modules: loopbackModules,
    command: ["sh", "-c", `${lanes.map(scriptOf).join("\n")}\nwait`],
    env: { GUESTWIRE_VM: "loopback" },
    keep: all.map(({ path }) => path),
    onLine(line) {
      const state = states[Number(line.slice(0, 1))];
      if (state === undefined || line[1] !== " ") return checks.output(line);
      take(checks, state, line.slice(2));
    },
  });
  const { bootMs } = await vm.ready;
  for (const state of states) state.began = performance.now();
  checks.fact("boot", `${(bootMs / 1000).toFixed(1)} s`);
  await vm.exitStatus;
  for (const { left } of states) if (left[0] !== undefined) throw new Error(`the VM ended before ${left[0].name} did`);
}

function run(
  { version, path }: Node,
  backend: "koffi" | "node-ffi",
  { file = "all.mjs", connections = 500 }: { readonly file?: string; readonly connections?: number } = {},
): Run {
  const environment = `GUESTWIRE_VSOCK_BACKEND=${backend} GUESTWIRE_VM_CONNECTIONS=${connections}`;
  const what = file === "all.mjs" ? backend : `${backend}, ${connections} connections`;
  const command = `${environment} ${quote(path)} --test-reporter=spec ${quote(join(tests, file))}`;
  return { name: `Node ${version} (${what})`, command };
}

/** A lane's runs, in the background, each line with the lane's number in front. */
function scriptOf(runs: readonly Run[], lane: number): string {
  const commands = runs.map(({ command }) => `${command}; echo "${mark} $?"`);
  return `{ ${commands.join("; ")}; } 2>&1 | sed -u 's/^/${lane} /' &`;
}

function take(checks: Checks, state: Lane, line: string): void {
  if (!line.startsWith(`${mark} `)) {
    state.lines.push(line);
    return checks.output(line);
  }
  const { name } = state.left.shift() as Run;
  const status = Number(line.slice(mark.length));
  const counts = readTestCounts(state.lines);
  const seconds = ((performance.now() - state.began) / 1000).toFixed(1);
  state.began = performance.now();
  state.lines = [];
  // A run that ended badly is a failure whatever it counted.
  const failed = status === 0 ? (counts?.failed ?? 1) : Math.max(1, counts?.failed ?? 1);
  checks.count(counts?.passed ?? 0, failed);
  checks.fact(name, `${counts?.passed ?? 0} passed, ${failed} failed in ${seconds} s`);
}
