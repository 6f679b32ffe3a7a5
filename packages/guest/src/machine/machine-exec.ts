// Runs one command inside a machine and gives its output as a stream of messages. Runs in the machine's own process.
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import os from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MachineExecOutputSchema, MachineExecRequest } from "@guestwire/machine";
import { Code } from "@guestwire/rpc";
import type { GuestClock } from "../clock.js";
import { failure, invalid, quoted, textOf, unsupported } from "../errors.js";
import { cancelGraceMs } from "../limits.js";
import { checkCmd, checkEnv, checkWorkingDir } from "../process/command-check.js";
import { programProblem } from "../process/find-program.js";
import { pathWithin } from "../process/path-within.js";
import { GuestProcess } from "../process/process.js";
import { readOutput } from "../process/read-output.js";
import { runAsUser } from "../process/run-as.js";
import { settledWithin } from "../wait.js";

/** The machine that a command runs in. */
export interface MachinePlace {
  readonly name: string;
  /** The machine's root file system. */
  readonly rootfs: string;
  readonly scope: string;
  readonly clock: GuestClock;
  /** Commands that run. */
  readonly running: Set<GuestProcess>;
}

type Output = MessageInitShape<typeof MachineExecOutputSchema>;

/** Checks what can be checked without the machine. @throws {RpcError} Code.InvalidArgument, Code.Unimplemented. */
export function checkExec({ cmd, env, workingDir, tty }: MachineExecRequest): void {
  checkCmd(cmd);
  checkEnv(env);
  checkWorkingDir(workingDir);
  if (tty) throw unsupported("tty: this guest has no terminals");
}

/**
 * Runs a command: its output piece by piece, then one message with its exit code. A command that cannot be run ends with
 * 127 or 126 and a line on stderr, as in a shell.
 *
 * @param signal Ends the command: SIGTERM, and SIGKILL a second later.
 * @throws {RpcError} Code.InvalidArgument naming the field that is wrong; Code.PermissionDenied for a user that the
 * guest cannot become.
 */
export async function* execInMachine(
  place: MachinePlace,
  request: MachineExecRequest,
  signal: AbortSignal,
): AsyncGenerator<Output> {
  checkExec(request);
  const { rootfs, name, running } = place;
  const cwd = pathWithin(rootfs, request.workingDir);
  if (!(await isFolder(cwd))) {
    throw invalid("working_dir", `${quoted(request.workingDir)} is no directory in machine ${quoted(name)}`);
  }
  const runAs = await runAsUser(request.user);
  const user = request.user || os.userInfo().username;
  const env = { PATH: process.env["PATH"] ?? "", HOME: rootfs, USER: user, ...request.env, PWD: cwd };
  const [program] = request.cmd as [string, ...string[]];
  const problem = programProblem(program, cwd, env.PATH || undefined);
  if (problem !== undefined) {
    yield { stream: "stderr", data: Buffer.from(`${program}: ${problem}\n`) };
    yield { stream: "exit", exitCode: problem === "not found" ? 127 : 126, done: true };
    return;
  }
  const home = { subject: `machines/${name}`, scope: place.scope, clock: place.clock };
  const command = new GuestProcess({ args: request.cmd, env, cwd, runAs }, home);
  const output = readOutput<Output>(
    (["stdout", "stderr"] as const).map((stream) => ({
      output: command[stream],
      chunk: (data) => ({ stream, data }),
      end: {},
    })),
    signal,
  );
  try {
    await command.run(false);
  } catch (error) {
    throw failure(Code.Internal, `${program}: ${textOf(error)}`, error);
  }
  running.add(command);
  void command.exited.then(() => running.delete(command));
  // Also where nobody asks this generator for more.
  const cancel = (): void => void endCommand(command);
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  try {
    // The end of one of the two outputs is no message.
    for await (const piece of output) if (piece.stream !== undefined) yield piece;
    if (signal.aborted) return;
    const { code } = await command.ended;
    yield { stream: "exit", exitCode: code, done: true };
  } finally {
    signal.removeEventListener("abort", cancel);
    // Not waited for: the call is over, and the end of the machine waits for what runs in it.
    if (command.exit === undefined) cancel();
  }
}

/** Ends a command and its group. Resolves when it has ended. */
export async function endCommand(command: GuestProcess, graceMs: number = cancelGraceMs): Promise<void> {
  command.signal(15);
  if (!(await settledWithin(command.exited, graceMs))) command.signal(9);
  await command.exited;
  command.cutOutput();
}

function isFolder(path: string): Promise<boolean> {
  return Promise.all([stat(path), access(path, constants.X_OK)]).then(
    ([found]) => found.isDirectory(),
    () => false,
  );
}
