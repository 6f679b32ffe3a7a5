// Serves containerd.task.v3.Task with containers that are plain process groups.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Handlers } from "@guestwire/rpc";
import { MetricsSchema } from "@guestwire/types/cgroups";
import { Status } from "@guestwire/types/containerd";
import { ProcessDetailsSchema } from "@guestwire/types/runc";
import type { Task } from "@guestwire/types/task/v3";
import { isOciType, packBare } from "../any.js";
import { invalid, missing, unsupported, wrongState } from "../errors.js";
import { namespaceOf } from "../events/namespace.js";
import { processesOf } from "../process/scope.js";
import { TerminalProcess } from "../ross/terminal/terminal-process.js";
import { version } from "../version.js";
import { untilAborted } from "../wait.js";
import type { ContainerStore } from "./container-store.js";
import { kill } from "./kill.js";
import { readExecSpec } from "./oci-process.js";
import { readStats } from "./stats.js";
import type { TaskState } from "./task-process.js";
import { checkCreate, checkTaskId, readStreams } from "./task-requests.js";

const statuses: Record<TaskState, Status> = {
  created: Status.CREATED,
  running: Status.RUNNING,
  stopped: Status.STOPPED,
};

/**
 * The task API.
 *
 * @param requestShutdown Ends the guest after the answer was sent.
 */
export function createTaskService(containers: ContainerStore, requestShutdown: () => void): Handlers<typeof Task> {
  return {
    async create(request, context) {
      const { id, bundle } = request;
      const namespace = namespaceOf(context);
      checkCreate(request);
      const container = await containers.create(id, bundle, namespace, request);
      return { pid: container.init.process.pid };
    },

    async start({ id, execId }) {
      containers.refuseWhenClosed();
      const container = containers.get(id);
      return { pid: await container.start(container.find(execId)) };
    },

    async exec(request) {
      const { id, execId, spec } = request;
      containers.refuseWhenClosed();
      const container = containers.get(id);
      checkTaskId("exec_id", execId);
      readStreams(request);
      if (spec === undefined) throw invalid("spec", "must be set");
      if (!isOciType(spec.typeUrl, "Process"))
        throw invalid("spec", `${JSON.stringify(spec.typeUrl)} is no OCI process`);
      container.checkFree(execId);
      const what = await readExecSpec(spec.value, container.root);
      // Last, as streams that were claimed for nothing are closed.
      const io = await containers.claim(request);
      try {
        container.add(execId, what, io);
      } catch (error) {
        io.streams?.cut();
        throw error;
      }
      return {};
    },

    state({ id, execId }) {
      const container = containers.get(id);
      const target = container.find(execId);
      const exit = target.exit;
      return {
        id: execId || id,
        bundle: container.bundle,
        pid: target.process.pid,
        status: statuses[target.state],
        execId,
        ...target.io.names,
        ...(exit !== undefined && { exitStatus: exit.code, exitedAt: timestampFromMs(exit.at) }),
      };
    },

    async wait({ id, execId }, { signal }) {
      // A caller who gave up must not be waited for: the process may live for ever.
      const { code, at } = await untilAborted(containers.find(id, execId).done, signal);
      return { exitStatus: code, exitedAt: timestampFromMs(at) };
    },

    kill({ id, execId, signal, all }) {
      const container = containers.get(id);
      const target = container.find(execId);
      kill(container, target, signal, all);
      return {};
    },

    async delete({ id, execId }) {
      const container = containers.get(id);
      const target = container.find(execId);
      if (target.busy !== undefined) throw wrongState(target.subject, "the process is running; kill it first");
      if (target === container.init && target.state === "created") {
        target.process.signal(9);
        await target.done;
      }
      // Somebody else may have deleted it while we waited.
      if (containers.peek(id)?.find(execId) !== target) throw missing("process", execId || id, "it was deleted");
      containers.forget(container, target);
      const { code, at } = target.exit ?? { code: 0, at: undefined };
      return {
        pid: target.process.pid,
        exitStatus: code,
        ...(at !== undefined && { exitedAt: timestampFromMs(at) }),
      };
    },

    pids({ id }) {
      const container = containers.get(id);
      const execs = new Map([...container.execs.values()].map((exec) => [exec.process.pid, exec.execId]));
      const processes = processesOf(container.scope).map((pid) => {
        const execId = execs.get(pid);
        return { pid, ...(execId !== undefined && { info: packBare(ProcessDetailsSchema, { execId }) }) };
      });
      return { processes };
    },

    stats({ id }) {
      return { stats: packBare(MetricsSchema, readStats(processesOf(containers.get(id).scope))) };
    },

    closeIO({ id, execId, stdin }) {
      const { process } = containers.find(id, execId);
      if (stdin) process.stdin.end();
      return {};
    },

    resizePty({ id, execId, width, height }) {
      const { process, subject } = containers.find(id, execId);
      if (!(process instanceof TerminalProcess)) throw wrongState(subject, "the process has no terminal");
      process.resize({ columns: width, rows: height });
      return {};
    },

    update({ id, resources }) {
      containers.get(id);
      if (resources !== undefined && !isOciType(resources.typeUrl, "LinuxResources")) {
        throw invalid("resources", `${JSON.stringify(resources.typeUrl)} is no set of OCI resources`);
      }
      throw unsupported("limits need a cgroup of one's own, which this guest has not");
    },

    pause({ id }) {
      containers.get(id);
      throw unsupported("the guest cannot pause; a host pauses the machine");
    },

    resume({ id }) {
      containers.get(id);
      throw unsupported("the guest cannot resume; a host resumes the machine");
    },

    checkpoint({ id }) {
      containers.get(id);
      throw unsupported("there are no checkpoints");
    },

    connect({ id }) {
      return { shimPid: process.pid, taskPid: containers.peek(id)?.init.process.pid ?? 0, version };
    },

    shutdown({ now }) {
      if (now || containers.size === 0) requestShutdown();
      return {};
    },
  };
}
