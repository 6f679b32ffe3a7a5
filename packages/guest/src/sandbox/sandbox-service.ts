// Serves sandbox.v1.SandboxService and SandboxSnapshotService with sandboxes that are folders and local processes.
import type { Handlers } from "@guestwire/rpc";
import type { RunRequest, SandboxService, SandboxSnapshotService } from "@guestwire/sandbox";
import { type CommandOutput, runCommand } from "./command.js";
import { hasLabels, sandboxAddress, sandboxInfo, sandboxSummary, snapshotSummary, timeText } from "./describe.js";
import { execCommand } from "./exec.js";
import { sandboxStopSeconds } from "./limits.js";
import type { SandboxStore } from "./sandbox-store.js";

/** The sandbox service. */
export function createSandboxService(sandboxes: SandboxStore): Handlers<typeof SandboxService> {
  return {
    async create(request) {
      const sandbox = await sandboxes.create(request);
      // As it was made, whatever it has become since.
      return { id: sandbox.id, ipAddress: await sandboxAddress(sandbox), state: "starting" };
    },
    run: (request, context) => run(sandboxes, request, context.signal),
    exec: (requests, context) => execCommand(sandboxes, requests, context.signal),
    async stop({ id, timeoutSeconds }) {
      await sandboxes.get(id).stop((timeoutSeconds || sandboxStopSeconds) * 1000);
      return {};
    },
    async remove({ id, force }) {
      await sandboxes.remove(sandboxes.get(id), force);
      return {};
    },
    inspect: ({ id }) => sandboxInfo(sandboxes.get(id)),
    async list({ state, labels }) {
      const found = sandboxes.all.filter(
        (one) => (state === "" || one.state === state) && hasLabels(one.record.labels, labels),
      );
      return { sandboxes: await Promise.all(found.map(sandboxSummary)) };
    },
    events: (filter, context) => sandboxes.events.subscribe(filter, context.signal),
  };
}

/** The service of snapshots. */
export function createSandboxSnapshotService(sandboxes: SandboxStore): Handlers<typeof SandboxSnapshotService> {
  const { snapshots } = sandboxes;
  return {
    async checkpoint({ sandboxId, name, labels }) {
      const { id, createdAt } = await sandboxes.checkpoint(sandboxes.get(sandboxId), name, labels);
      return { snapshotId: id, snapshotDir: snapshots.folderOf(id), createdAt: timeText(createdAt) };
    },
    async restore(request) {
      const sandbox = await sandboxes.restore(request);
      return { id: sandbox.id, ipAddress: await sandboxAddress(sandbox) };
    },
    async listSnapshots({ sandboxId, labels }) {
      const found = snapshots.all.filter(
        (one) => (sandboxId === "" || one.sandboxId === sandboxId) && hasLabels(one.labels, labels),
      );
      return { snapshots: found.map((one) => snapshotSummary(one, snapshots.folderOf(one.id))) };
    },
    async deleteSnapshot({ snapshotId }) {
      await snapshots.delete(snapshotId);
      return {};
    },
  };
}

async function* run(sandboxes: SandboxStore, request: RunRequest, signal: AbortSignal): AsyncGenerator<CommandOutput> {
  sandboxes.refuseWhenClosed();
  yield* runCommand(sandboxes.get(request.id), request, signal);
}
