// Test (b): our guest in a VM, driven from the host over hybrid vsock. Two boots of the same VM, one channel all along.
import { connect as connectGrpc } from "@guestwire/grpc";
import { createClient } from "@guestwire/rpc";
import { System } from "@guestwire/system/vminitd";
import { connect, waitReady } from "@guestwire/ttrpc";
import { tempFolder } from "../../temp-folder.js";
import { type Checks, expect } from "../checks.js";
import { nodes } from "../nodes.js";
import type { VmParts } from "../parts.js";
import { killChecks, pauseChecks, pausedDialChecks } from "./failures.js";
import { bootGuest, type GuestVm, guestPorts, guestSocket } from "./guest-vm.js";
import { workChecks } from "./work.js";

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Runs all checks. */
export async function hybrid(checks: Checks, parts: VmParts): Promise<void> {
  checks.title("A guest in a VM, over hybrid vsock");
  const [node] = await nodes([26]);
  await using folder = await tempFolder();
  const path = guestSocket(folder.path);
  const address = `hvsock://${path}:${guestPorts.ttrpc}`;
  // An attempt that is given up can bring the daemon behind the device down (see pausedDialChecks): none is.
  const options = { timeoutMs: 90_000, connectTimeoutMs: 90_000, waitForReady: true };
  const boot = () => bootGuest(parts, folder.path, node!.path, (line) => checks.output(line));

  await using first = await boot();
  checks.fact("Node", node!.version);
  checks.fact("boot", seconds(first.boot.bootMs));
  await checks.check("the guest becomes ready", async () => {
    const listeningMs = await first.listening;
    const { attempts } = await waitReady(address, { timeoutMs: 60_000 });
    return `it listened ${seconds(listeningMs)} after the VM's start; ${attempts} probes`;
  });
  await using channel = connect(address, options);
  await using events = connect(address, options);
  await using grpc = connectGrpc(`hvsock://${path}:${guestPorts.grpc}`, { timeoutMs: 60_000 });
  await workChecks(checks, channel, events, grpc);
  await pauseChecks(checks, first.vm, channel, path);
  await killChecks(checks, first.vm, channel, grpc);
  await first[Symbol.asyncDispose]();

  let second: GuestVm | undefined;
  await checks.check("booted again: the same channel reconnects by itself", async () => {
    // Asked while there is nothing at all: it waits, attempt after attempt.
    const waiting = createClient(System, channel).info({});
    waiting.catch(() => {});
    second = await boot();
    const { version } = await waiting;
    expect("the guest tells its version", version !== "", version);
    return `boot ${seconds(second.boot.bootMs)}`;
  });
  if (second === undefined) return;
  await using last = second;
  await pausedDialChecks(checks, last.vm, path);
}
