// The guest of the nested run: QEMU, started in the VM that is the host here, with the kernel's vhost_vsock behind its device.
// It never runs on a machine of somebody: the harness alone gives the command (docs/vm-tests.md).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** The guest's CID, and the host's as the guest sees it. */
export const guestCid = 42;
export const hostCid = 2;

/** The ports of the guest's program, packages/testkit/peers/go-vsock. */
export const ports = { echo: 7000, held: 7001, release: 7002, dial: 7003 };

// Thrown when it is imported, so that no test so much as starts elsewhere.
const given = process.env.GUESTWIRE_NESTED_COMMAND;
if (given === undefined) throw new Error("these tests run by `npx -y pnpm@12 test:vm:nested` only");

/** Boots the guest, and waits until its program listens. */
export async function bootGuest() {
  const [program, ...args] = JSON.parse(given);
  const began = performance.now();
  const qemu = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(qemu, "close");
  const ready = Promise.withResolvers();
  const said = [];
  for (const stream of [qemu.stdout, qemu.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      console.log(`guest | ${line}`);
      said.push(line);
      if (line.trim() === "gw-guest READY") ready.resolve();
    });
  }
  qemu.once("error", ready.reject);
  qemu.once("close", (code, signal) => {
    const end = said.slice(-10).join("\n");
    ready.reject(new Error(`the guest ended (${signal ?? code}) before its program listened; it said:\n${end}`));
  });
  await ready.promise;
  return {
    bootMs: performance.now() - began,
    /** Freezes QEMU: the guest exists and answers nothing. */
    pause: () => void qemu.kill("SIGSTOP"),
    /** Lets it go on. */
    resume: () => void qemu.kill("SIGCONT"),
    /** Ends it as a crash would, and waits for that. */
    async kill() {
      qemu.kill("SIGKILL");
      await closed;
    },
  };
}
