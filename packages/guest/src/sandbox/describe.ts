// Sandboxes and snapshots as the services' messages show them.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SandboxInfoSchema, SandboxSummarySchema, SnapshotSummarySchema } from "@guestwire/sandbox";
import { mainAddress, readNetwork } from "../machine/network.js";
import type { Sandbox } from "./sandbox.js";
import type { SnapshotRecord } from "./sandbox-snapshots.js";

/** Under which address what listens in a sandbox is reached: its host's, until it has ended. */
export async function sandboxAddress({ state }: Sandbox): Promise<string> {
  return isOver(state) ? "" : mainAddress();
}

/** A sandbox in a list. */
export async function sandboxSummary(sandbox: Sandbox): Promise<MessageInitShape<typeof SandboxSummarySchema>> {
  const { id, labels, createdAt } = sandbox.record;
  const { state } = sandbox;
  return { id, state, labels, ipAddress: await sandboxAddress(sandbox), createdAt: seconds(createdAt) };
}

/** Everything about a sandbox. */
export async function sandboxInfo(sandbox: Sandbox): Promise<MessageInitShape<typeof SandboxInfoSchema>> {
  const { ipAddress = "", gateway = "" } = isOver(sandbox.state) ? {} : await readNetwork();
  // What happens while the network is looked at shows as a whole or not at all.
  const { record, state, error } = sandbox;
  const { id, labels, limits, lastExitCode } = record;
  return {
    id,
    state,
    labels,
    limits: { vcpus: limits.vcpus, memoryMib: BigInt(limits.memoryMib) },
    network: { ipAddress, gateway },
    createdAt: seconds(record.createdAt),
    readyAt: seconds(record.readyAt),
    lastExitedAt: seconds(record.lastExitedAt),
    lastExitCode,
    error,
  };
}

/** A snapshot in a list. @param snapshotDir Absolute path of its folder. */
export function snapshotSummary(
  { id, sandboxId, name, labels, createdAt }: SnapshotRecord,
  snapshotDir: string,
): MessageInitShape<typeof SnapshotSummarySchema> {
  return { id, sandboxId, name, labels, snapshotDir, createdAt: timeText(createdAt) };
}

/** A time as RFC 3339. @param ms Since 1970. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** Whether something has all of these labels. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function isOver(state: Sandbox["state"]): boolean {
  return state === "stopped" || state === "failed";
}

function seconds(ms: number): bigint {
  return BigInt(Math.floor(ms / 1000));
}
