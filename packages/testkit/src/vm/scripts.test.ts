// The texts that make a VM: command lines, scripts, sources of packages, counts.
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { expect as claim, createChecks } from "./checks.js";
import { fromLines, fromStanzas } from "./debian-archive.js";
import { commandScript, keptPaths, quote } from "./init-script.js";
import { innerCommand } from "./nested/inner-guest.js";
import { howToGet } from "./prerequisites.js";
import { kernelCommandLine, qemuArguments } from "./qemu-arguments.js";
import { readTestCounts } from "./test-counts.js";

test("the kernel's command line carries the token and the folder to init", () => {
  expect(kernelCommandLine({ token: "gw-1", run: "/tmp/gw-a/vm", terminal: false })).toBe(
    "console=ttyS0 quiet panic=-1 gw_token=gw-1 gw_run=/tmp/gw-a/vm",
  );
  expect(kernelCommandLine({ token: "gw-1", run: "/a b", terminal: true })).toContain('gw_run="/a b" gw_terminal=yes');
  expect(() => kernelCommandLine({ token: "gw-1", run: '/a"b', terminal: false })).toThrow('/a\\"b');
});

test("a VM for a vhost-user device has memory that can be shared", () => {
  const options = {
    ...{ kernel: "/k", initramfs: "/i", memoryMiB: 512, token: "t", run: "/r", consoleLog: "/a,b", terminal: false },
    devices: ["-device", "vhost-user-vsock-pci,chardev=vsock"],
  };
  const args = qemuArguments({ ...options, sharedMemory: true });
  expect(args).toContain("memory-backend-memfd,id=memory,size=512M,share=on");
  expect(args).toContain("vhost-user-vsock-pci,chardev=vsock");
  expect(args).toContain("file,id=console,path=/a,,b");
  expect(qemuArguments({ ...options, sharedMemory: false }).join(" ")).not.toContain("share=on");
});

test("the guest inside a VM has the kernel's vhost_vsock, its console on standard output, and no way to hang after a panic", () => {
  const command = innerCommand({ qemu: "/q", kernel: "/k", initramfs: "/a b" });
  const after = (name: string): string | undefined => command[command.indexOf(name) + 1];
  expect([command[0], after("-kernel"), after("-initrd"), after("-serial")]).toEqual(["/q", "/k", "/a b", "stdio"]);
  expect(after("-device")).toBe("vhost-vsock-pci,guest-cid=42");
  expect(after("-append")).toMatch(/^console=ttyS0 quiet panic=-1 /);
  expect(command).toContain("-no-reboot");
});

test("a command and its environment come through a shell unchanged", () => {
  const words = ["plain", "two words", "it's", '"$HOME" `x`', "", "a\nb", "*"];
  const script = words.map(quote).join(" ");
  const read = execFileSync("sh", ["-c", `printf '%s\\0' ${script}`], { encoding: "utf8" });
  expect(read.split("\0").slice(0, -1)).toEqual(words);
  const run = commandScript({
    command: ["sh", "-c", 'echo "$A|$B|$PWD"'],
    env: { PATH: "/usr/bin:/bin", A: "1 2" },
    cwd: "/",
  });
  expect(execFileSync("sh", ["-c", run], { encoding: "utf8", env: { B: "leaks" } })).toBe("1 2||/\n");
});

test("only paths that the VM's own folders hide are kept, the outer ones", () => {
  const paths = ["/tmp/a/b", "/usr/bin/node", "/tmp/a", "/run/x", "/tmp", "/tmpfiles/a", "/tmp/a"];
  expect(keptPaths(paths)).toEqual(["/run/x", "/tmp/a"]);
});

test("the mirror is that of Debian itself, out of either form", () => {
  const security = "Types: deb\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\n";
  const main = "Types: deb\n# note\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n";
  const found = { mirror: "http://mirror.test/debian", suite: "bookworm" };
  expect(fromStanzas(`${security}\n${main}`)).toEqual(found);
  expect(fromStanzas(security)).toBeUndefined();
  const lines = "# deb http://old.test/debian sid main\ndeb [arch=amd64] http://other.test/tools stable main\n";
  expect(fromLines(`${lines}deb http://mirror.test/debian bookworm main\n`)).toEqual(found);
  expect(fromLines(lines)).toBeUndefined();
});

test("who lacks parts reads what to do", () => {
  const text = howToGet(["qemu-system-x86_64", "cpio", "kernel"]);
  expect(text).toContain("qemu-system-x86_64, cpio, kernel");
  expect(text).toContain("apt-get install --no-install-recommends qemu-system-x86 cpio\n");
  expect(text).toContain("test:vm:setup");
  expect(howToGet(["kernel"])).not.toContain("apt-get install");
});

test("counts of node:test are read in both forms, and a crash has none", () => {
  expect(readTestCounts(["ℹ tests 31", "ℹ pass 30", "ℹ fail 1", "ℹ cancelled 0"])).toEqual({ passed: 30, failed: 1 });
  expect(readTestCounts(["# pass 2", "# fail 0", "# cancelled 3"])).toEqual({ passed: 2, failed: 3 });
  expect(readTestCounts(["✔ pass 2", "Segmentation fault"])).toBeUndefined();
});

test("checks are counted, and a failure says what was found", async () => {
  const lines: string[] = [];
  const checks = createChecks((line) => lines.push(line));
  expect(checks.summary()).toBe(false);
  expect(await checks.check("good", () => "fine")).toBe(true);
  checks.count(2, 0);
  expect(checks.summary()).toBe(true);
  expect(await checks.check("bad", () => claim("it is one", false, { n: 2n }) as undefined)).toBe(false);
  expect(lines.join("\n")).toContain('expected that it is one; found {"n":"2n"}');
  expect(checks.summary()).toBe(false);
  expect(lines.at(-1)).toBe("\n3 passed, 1 failed");
});
