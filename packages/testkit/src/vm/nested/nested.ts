// Test (c): the kernel's own vhost_vsock between a host and a guest. The host is a VM of ours, which has /dev/vhost-vsock; the
// guest is a VM inside it. The tests run in the outer one, so that no vsock connection is opened on the machine itself.
import { join } from "node:path";
import { goProgram } from "../../go-tools.js";
import { bootVm } from "../boot.js";
import type { Checks } from "../checks.js";
import { packArchive } from "../initramfs.js";
import { nodes } from "../nodes.js";
import { repositoryRoot, type VmParts } from "../parts.js";
import { readTestCounts } from "../test-counts.js";
import { innerCommand, innerInit, innerModules } from "./inner-guest.js";

const tests = join(repositoryRoot, "packages", "vsock", "test", "nested", "nested.test.mjs");

/**
 * Runs the tests.
 *
 * @throws {Error} where Go is missing, in which the guest's program is written.
 */
export async function nested(checks: Checks, parts: VmParts): Promise<void> {
  checks.title("AF_VSOCK between a host and a guest over vhost_vsock, both in a VM");
  const program = await goProgram(".", { module: "go-vsock" });
  if (program === undefined) throw new Error("the program of the guest is written in Go, and no go was found in PATH");
  const initramfs = await packArchive(parts, { init: innerInit, modules: innerModules, program });
  const [node] = await nodes([26]);
  const lines: string[] = [];
  const began = performance.now();
  await using vm = await bootVm(parts, {
    modules: ["vhost_vsock"],
    command: [node!.path, "--test-reporter=spec", tests],
    env: {
      GUESTWIRE_VM: "nested",
      GUESTWIRE_NESTED_COMMAND: JSON.stringify(innerCommand({ qemu: parts.qemu, kernel: parts.kernel, initramfs })),
    },
    keep: [node!.path],
    onLine(line) {
      lines.push(line);
      checks.output(line);
    },
  });
  const { bootMs } = await vm.ready;
  checks.fact("boot", `${(bootMs / 1000).toFixed(1)} s for the outer VM`);
  const status = await vm.exitStatus;
  const counts = readTestCounts(lines);
  // A run that ended badly is a failure whatever it counted.
  const failed = status === 0 ? (counts?.failed ?? 1) : Math.max(1, counts?.failed ?? 1);
  checks.count(counts?.passed ?? 0, failed);
  checks.fact(`Node ${node!.version}`, `${((performance.now() - began) / 1000).toFixed(1)} s in all`);
}
