// One command in a sandbox: prepared, started, fed, read and ended. Its output is a stream of messages, the last one with its
// exit code. Knows no service.
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import os from "node:os";
import { Code, RpcError } from "@guestwire/rpc";
import { failure, invalid, quoted, textOf } from "../errors.js";
import { cancelGraceMs } from "../limits.js";
import type { Mailbox } from "../mailbox.js";
import { checkCmd, checkEnv, checkWorkingDir } from "../process/command-check.js";
import { type ProgramProblem, programProblem } from "../process/find-program.js";
import { pathWithin } from "../process/path-within.js";
import type { ProcessSpec } from "../process/process.js";
import { runAsUser } from "../process/run-as.js";
import { signalScope } from "../process/scope.js";
import type { Piece } from "../ross/containers/output-hub.js";
import { ProcessRun } from "../ross/containers/process-run.js";
import type { TerminalSize } from "../ross/terminal/terminal-process.js";
import { settledWithin } from "../wait.js";
import { after } from "./after.js";
import type { Sandbox } from "./sandbox.js";

/** What to run, as both requests say it. */
export interface WantedCommand {
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Empty for the sandbox's own, as `user`. */
  readonly workingDir: string;
  readonly user: string;
  readonly tty: boolean;
  /** 0 for no limit. */
  readonly timeoutSeconds: number;
}

/** What is sent to a command. */
export interface CommandInput {
  /** Size of its terminal at the beginning. */
  readonly size: TerminalSize | undefined;
  /** Sends it, to its end. @throws {RpcError} What the call fails with; the command is ended then. */
  feed(run: ProcessRun): Promise<void>;
}

/** A piece of output, or the end. */
export type CommandOutput = Piece | { readonly stream: "exit"; readonly exitCode: number; readonly done: true };

/** Checks what can be checked without the sandbox. @throws {RpcError} Code.InvalidArgument. */
export function checkCommand({ cmd, env, workingDir }: WantedCommand): void {
  checkCmd(cmd);
  checkEnv(env);
  checkWorkingDir(workingDir);
}

/**
 * Runs a command. One that cannot be run ends with 127 or 126 and a line on stderr, as in a shell.
 *
 * @param signal Ends it: SIGTERM, and SIGKILL a second later.
 * @param input Default: nothing but the end of the input.
 * @throws {RpcError} Code.InvalidArgument naming the field that is wrong; Code.FailedPrecondition when the sandbox is not
 * ready; Code.PermissionDenied for a user that the guest cannot become.
 */
export async function* runCommand(
  sandbox: Sandbox,
  wanted: WantedCommand,
  signal: AbortSignal,
  input?: CommandInput,
): AsyncGenerator<CommandOutput> {
  checkCommand(wanted);
  sandbox.requireReady();
  const { spec, problem } = await prepare(sandbox, wanted);
  if (problem !== undefined) {
    // Nothing has run; still only a ready sandbox says so.
    sandbox.requireReady();
    yield { stream: "stderr", data: Buffer.from(`${spec.args[0]}: ${problem}\n`) };
    yield { stream: "exit", exitCode: problem === "not found" ? 127 : 126, done: true };
    return;
  }
  let scope = "";
  let pieces: Mailbox<Piece> | undefined;
  const run = await sandbox.start(async (commandScope) => {
    scope = commandScope;
    const home = { subject: sandbox.subject, scope, clock: sandbox.clock };
    const made = new ProcessRun({ spec, home, tty: wanted.tty, stdin: input !== undefined, size: input?.size });
    // From the beginning: what nobody follows is not kept.
    pieces = made.hub.follow({ stalls: true, signal });
    try {
      await made.start();
    } catch (error) {
      if (error instanceof RpcError) throw error;
      throw failure(Code.Internal, `${spec.args[0]}: ${textOf(error)}`, error);
    }
    void made.hub.done.then(() => made.hangUp());
    return made;
  });
  yield* follow({ run, scope, pieces: pieces as Mailbox<Piece> }, wanted, signal, input);
}

interface Started {
  readonly run: ProcessRun;
  readonly scope: string;
  readonly pieces: Mailbox<Piece>;
}

async function* follow(
  { run, scope, pieces }: Started,
  { timeoutSeconds }: WantedCommand,
  signal: AbortSignal,
  input: CommandInput | undefined,
): AsyncGenerator<CommandOutput> {
  const kill = (): void => {
    if (run.exit !== undefined) return;
    // Itself first: it must not see the end of what it started, and end as if all were well.
    run.process.signal(9);
    signalScope(scope, 9, [run.process.pid]);
  };
  const end = (): void => void endRun(run, kill);
  const cancelTimeout = timeoutSeconds === 0 ? () => {} : after(timeoutSeconds * 1000, kill);
  void run.process.exited.then(cancelTimeout);
  // Also where nobody asks this generator for more.
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  let wrong: unknown;
  if (input === undefined) run.endInput();
  else {
    input.feed(run).catch((error: unknown) => {
      wrong = error;
      end();
    });
  }
  try {
    yield* pieces;
    if (signal.aborted) return;
    const { code } = await run.process.exited;
    if (wrong !== undefined) throw wrong;
    yield { stream: "exit", exitCode: code, done: true };
  } finally {
    signal.removeEventListener("abort", end);
    await pieces.return();
    // Not waited for: the call is over, and the end of the sandbox waits for what runs in it.
    if (run.exit === undefined) end();
  }
}

/** Ends a command and what came from it. */
async function endRun(run: ProcessRun, kill: () => void): Promise<void> {
  run.process.signal(15);
  // Who sits at a terminal does not listen to SIGTERM.
  run.hangUp();
  if (!(await settledWithin(run.process.exited, cancelGraceMs))) kill();
}

async function prepare(
  { record, paths: { rootfs } }: Sandbox,
  wanted: WantedCommand,
): Promise<{ spec: ProcessSpec; problem: ProgramProblem | undefined }> {
  const workingDir = wanted.workingDir || record.workingDir;
  const cwd = pathWithin(rootfs, workingDir);
  if (!(await isFolder(cwd))) {
    throw invalid("working_dir", `${quoted(workingDir)} is no directory in sandbox ${quoted(record.id)}`);
  }
  const userName = wanted.user || record.user;
  const runAs = await runAsUser(userName);
  const own = { PATH: process.env["PATH"] ?? "", HOME: rootfs, USER: userName || os.userInfo().username };
  const env = { ...own, ...(wanted.tty && { TERM: "xterm" }), ...record.env, ...wanted.env, PWD: cwd };
  const [program, ...rest] = wanted.cmd as [string, ...string[]];
  const problem = programProblem(program, cwd, env.PATH || undefined);
  // Programs are the host's; where it has none of an absolute path, the sandbox may.
  const inside = pathWithin(rootfs, program);
  const useInside = problem !== undefined && program.startsWith("/") && programProblem(inside, cwd) === undefined;
  const args = useInside ? [inside, ...rest] : wanted.cmd;
  return { spec: { args, env, cwd, runAs }, problem: useInside ? undefined : problem };
}

function isFolder(path: string): Promise<boolean> {
  return Promise.all([stat(path), access(path, constants.X_OK)]).then(
    ([found]) => found.isDirectory(),
    () => false,
  );
}
