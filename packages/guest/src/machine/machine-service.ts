// Serves arcbox.v1.MachineService with machines that are supervised local processes.
import { type MachineExecRequest, MachineService } from "@guestwire/machine";
import { createClient, type HandlerContext, type Handlers } from "@guestwire/rpc";
import { stopGraceMs } from "../limits.js";
import { machineInfo, machineSummary } from "./describe.js";
import { checkExec } from "./machine-exec.js";
import { MachineProcess } from "./machine-process.js";
import type { MachineStore } from "./machine-store.js";
import { type SshOptions, sshInfo } from "./ssh-info.js";

/** The machine service. */
export function createMachineService(machines: MachineStore, ssh: SshOptions): Handlers<typeof MachineService> {
  return {
    async create(request) {
      const { name } = await machines.create(request);
      return { id: name };
    },
    async start({ id }) {
      machines.refuseWhenClosed();
      await machines.get(id).start();
      return {};
    },
    async stop({ id, force }) {
      await machines.get(id).stop(force ? 0 : stopGraceMs);
      return {};
    },
    async remove({ id, force }) {
      await machines.remove(machines.get(id), force);
      return {};
    },
    async list({ all }) {
      const wanted = machines.all.filter(({ state }) => all || state === "running");
      return { machines: await Promise.all(wanted.map(machineSummary)) };
    },
    inspect: ({ id }) => machineInfo(machines.get(id)),
    async ping({ id }, context) {
      const { running } = machines.get(id);
      const { message, version } = await reach(id, () => running.agent.ping({}, limits(context)));
      return { message, version };
    },
    async getSystemInfo({ id }, context) {
      const { running } = machines.get(id);
      const {
        $typeName: _,
        $unknown: __,
        ...facts
      } = await reach(id, () => running.agent.getSystemInfo({}, limits(context)));
      return facts;
    },
    exec: (request, context) => exec(machines, request, context.signal),
    async sSHInfo({ id }) {
      return sshInfo(ssh, machines.get(id).paths.rootfs);
    },
  };
}

async function* exec(machines: MachineStore, request: MachineExecRequest, signal: AbortSignal) {
  checkExec(request);
  const { running } = machines.get(request.id);
  try {
    await using channel = running.open();
    yield* createClient(MachineService, channel).exec(request, { signal });
  } catch (error) {
    throw MachineProcess.unreachable(request.id, error);
  }
}

/** Ends a call to a machine with the call that it is made for. */
function limits({ signal }: HandlerContext): { signal: AbortSignal } {
  return { signal };
}

async function reach<T>(name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw MachineProcess.unreachable(name, error);
  }
}
