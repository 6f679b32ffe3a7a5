// Signals to the processes of a container.
import { invalid, missing, wrongState } from "../errors.js";
import { signalScope } from "../process/scope.js";
import type { Container } from "./container.js";
import type { TaskProcess } from "./task-process.js";

/**
 * Signals a process with its group, or every process of the container.
 *
 * @throws {RpcError} Code.InvalidArgument for a number that is no signal; Code.NotFound when the process has ended;
 * Code.FailedPrecondition when it was not started.
 */
export function kill(container: Container, target: TaskProcess, signal: number, all: boolean): void {
  if (signal > 64) throw invalid("signal", `${signal} is no signal of Linux`);
  const { process } = all ? container.init : target;
  if (process.pid === 0) throw wrongState(target.subject, "the process was not started");
  const reached =
    process.exit === undefined && (all ? signalScope(container.scope, signal) > 0 : process.signal(signal));
  if (!reached) throw missing("process", target.execId || container.id, "process already finished");
}
