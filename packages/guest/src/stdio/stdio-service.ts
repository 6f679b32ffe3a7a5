// Serves StdIO (the running shape) and Stdio (the seed's) on the processes of the guest's containers.
import type { Handlers } from "@guestwire/rpc";
import { RecvResponse_Source as Source, type Stdio } from "@guestwire/stdio";
import type { StdIO } from "@guestwire/stdio/vminitd";
import { invalid } from "../errors.js";
import type { GuestProcess } from "../process/process.js";
import { ProcessInput } from "../process/process-input.js";
import { ProcessOutput } from "../process/process-output.js";
import { readOutput } from "../process/read-output.js";
import type { ContainerStore } from "../task/container-store.js";
import type { TaskProcess } from "../task/task-process.js";
import { untilAborted } from "../wait.js";

const nothing = new Uint8Array();
// A terminal has one output for both; the other one is over before it begins.
const noOutput = new ProcessOutput(() => {});
noOutput.end();

/** How both shapes name a process. */
interface ProcessName {
  readonly containerId: string;
  readonly execId: string;
}

/** The running shape: one stream per output. */
export function createStdIOService(containers: ContainerStore): Handlers<typeof StdIO> {
  const read = (output: ProcessOutput, signal: AbortSignal) =>
    readOutput([{ output, chunk: (data) => ({ data, eof: false }), end: { data: nothing, eof: true } }], signal);
  return {
    async writeStdin(request, { signal }) {
      return { bytesWritten: await untilAborted(find(containers, request).stdin.write(request.data), signal) };
    },
    closeStdin(request) {
      closeInput(find(containers, request));
      return {};
    },
    readStdout: (request, context) => read(find(containers, request).stdout, context.signal),
    readStderr: (request, context) => read(find(containers, request).stderr, context.signal),
  };
}

/** The seed's shape: both outputs in one stream. */
export function createSeedStdioService(containers: ContainerStore): Handlers<typeof Stdio> {
  return {
    async write(request, { signal }) {
      return { bytesWritten: await untilAborted(find(containers, request).stdin.write(request.data), signal) };
    },
    closeStdin(request) {
      closeInput(find(containers, request));
      return {};
    },
    recv(request, context) {
      const { stdout, stderr } = find(containers, request);
      const source = (output: ProcessOutput, source: Source) => ({
        output,
        chunk: (data: Uint8Array) => ({ source, data, eof: false }),
        end: { source, data: nothing, eof: true },
      });
      return readOutput([source(stdout, Source.STDOUT), source(stderr, Source.STDERR)], context.signal);
    },
  };
}

type StandardStreams = Pick<GuestProcess, "stdout" | "stderr"> & Pick<TaskProcess["process"], "stdin">;

function find(containers: ContainerStore, { containerId, execId }: ProcessName): StandardStreams {
  if (containerId === "") throw invalid("container_id", "must not be empty");
  const { stdin, stdout, stderr = noOutput } = containers.find(containerId, execId).process;
  return { stdin, stdout, stderr };
}

function closeInput({ stdin }: StandardStreams): void {
  if (stdin instanceof ProcessInput) stdin.close();
  else stdin.end();
}
