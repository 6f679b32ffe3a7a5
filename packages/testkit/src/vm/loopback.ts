// Test (a): the matrix of packages/vsock/test/vm on every Node, over vsock_loopback in a VM. One VM for all of them, one after
// the other: they share the VM's ports.
import { join } from "node:path";
import { bootVm } from "./boot.js";
import type { Checks } from "./checks.js";
import { quote } from "./init-script.js";
import { type Node, nodes } from "./nodes.js";
import { repositoryRoot, type VmParts } from "./parts.js";
import { readTestCounts } from "./test-counts.js";

/** The modules for vsock inside one VM; vhost_vsock is for a guest that never answers, which a test makes up. */
export const loopbackModules: readonly string[] = ["vsock_loopback", "vhost_vsock"];

interface Run extends Node {
  readonly backend: "koffi" | "node-ffi";
}

/** Runs the matrix. */
export async function loopback(checks: Checks, parts: VmParts): Promise<void> {
  const tests = join(repositoryRoot, "packages", "vsock", "test", "vm", "all.mjs");
  const all = await nodes([22, 24, 26]);
  const runs: Run[] = all.map((node) => ({ ...node, backend: "koffi" }));
  const newest = all.at(-1)!;
  runs.push({ ...newest, backend: "node-ffi" });

  checks.title("AF_VSOCK over loopback in a VM");
  const mark = "gw-run-ended";
  const script = runs.map(({ path, backend }) => {
    return `GUESTWIRE_VSOCK_BACKEND=${backend} ${quote(path)} --test-reporter=spec ${quote(tests)}; echo "${mark} $?"`;
  });
  let lines: string[] = [];
  let began = 0;
  const left = [...runs];
  await using vm = await bootVm(parts, {
    modules: loopbackModules,
    command: ["sh", "-c", script.join("\n")],
    env: { GUESTWIRE_VM: "loopback" },
    keep: all.map(({ path }) => path),
    onLine(line) {
      if (!line.startsWith(`${mark} `)) {
        lines.push(line);
        return checks.output(line);
      }
      const { version, backend } = left.shift()!;
      const status = Number(line.slice(mark.length));
      const counts = readTestCounts(lines);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      began = performance.now();
      lines = [];
      // A run that ended badly is a failure whatever it counted.
      const failed = status === 0 ? (counts?.failed ?? 1) : Math.max(1, counts?.failed ?? 1);
      checks.count(counts?.passed ?? 0, failed);
      checks.fact(`Node ${version}`, `${backend}: ${counts?.passed ?? 0} passed, ${failed} failed in ${seconds} s`);
    },
  });
  const { bootMs } = await vm.ready;
  began = performance.now();
  checks.fact("boot", `${(bootMs / 1000).toFixed(1)} s`);
  await vm.exitStatus;
  if (left.length > 0) throw new Error(`the VM ended before Node ${left[0]!.version} (${left[0]!.backend}) did`);
}
