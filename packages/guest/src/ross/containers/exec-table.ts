// The commands that Exec recorded for one container. Each runs once, among the container's own processes.
import { randomBytes } from "node:crypto";
import type { ExecConfig } from "@guestwire/ross";
import { Code } from "@guestwire/rpc";
import { failure, wrongState } from "../../errors.js";
import { execsPerContainer } from "../limits.js";
import { wantedStreams } from "./get-logs.js";
import type { StreamName } from "./log-entry.js";
import { checkCommand, parseEnv } from "./new-record.js";
import { ProcessRun } from "./process-run.js";
import { prepareProcess, startError, type WantedProcess } from "./process-spec.js";
import type { RossContainer } from "./ross-container.js";

interface Exec {
  readonly wanted: WantedProcess;
  readonly tty: boolean;
  readonly streams: readonly StreamName[];
  /** Set once it was started, also where that failed. */
  started: boolean;
  failed: boolean;
  run: ProcessRun | undefined;
}

/** Commands by their ids. */
export class ExecTable {
  readonly #container: RossContainer;
  readonly #execs = new Map<string, Exec>();

  constructor(container: RossContainer) {
    this.#container = container;
  }

  /** Ids in the order of their recording. */
  get ids(): string[] {
    return [...this.#execs.keys()];
  }

  /** Process ids of the commands that run; each leads a session of its own. */
  get leaders(): number[] {
    return [...this.#execs.values()].flatMap(({ run }) =>
      run !== undefined && run.exit === undefined && run.process.pid > 0 ? [run.process.pid] : [],
    );
  }

  has(id: string): boolean {
    return this.#execs.has(id);
  }

  /**
   * Records a command.
   *
   * @returns Its id.
   * @throws {RpcError} Code.InvalidArgument naming the field; Code.FailedPrecondition when the container does not run;
   * Code.ResourceExhausted when too many run.
   */
  add(config: ExecConfig): string {
    const container = this.#container;
    const wanted = {
      args: checkCommand(config.cmd, "config.cmd"),
      env: { ...container.record.env, ...(config.tty && { TERM: "xterm" }), ...parseEnv(config.env, "config.env") },
      workingDir: config.workingDir || container.record.workingDir,
      user: config.user || container.record.user,
    };
    container.requireRunning();
    for (const [id, { started, failed, run }] of this.#execs) {
      if (this.#execs.size < execsPerContainer) break;
      if (!started || failed || run?.exit !== undefined) this.#execs.delete(id);
    }
    if (this.#execs.size >= execsPerContainer) {
      throw failure(Code.ResourceExhausted, `${container.subject}: ${execsPerContainer} commands run already`);
    }
    const id = randomBytes(32).toString("hex");
    const streams = wantedStreams({ stdout: config.attachStdout, stderr: config.attachStderr });
    this.#execs.set(id, { wanted, tty: config.tty, streams, started: false, failed: false, run: undefined });
    return id;
  }

  /** The streams that its recording asked for. */
  streamsOf(id: string): readonly StreamName[] {
    return this.#execs.get(id)?.streams ?? [];
  }

  /**
   * Runs a command.
   *
   * @param prepared Told of the run before it begins.
   * @throws {RpcError} Code.FailedPrecondition when it was started before, when the container does not run or is paused, or
   * when the program cannot be run.
   */
  async start(id: string, tty: boolean, prepared: (run: ProcessRun) => void): Promise<ProcessRun> {
    const container = this.#container;
    const exec = this.#execs.get(id) as Exec;
    const subject = `${container.subject}/execs/${id.slice(0, 12)}`;
    if (exec.started) throw wrongState(subject, "the command was started already");
    container.requireRunning();
    const { scope, run: main } = container.current;
    exec.started = true;
    let run: ProcessRun;
    try {
      const spec = await prepareProcess(exec.wanted, container.paths.rootfs, subject, { user: "config.user" });
      run = new ProcessRun({
        spec,
        home: { subject, scope, clock: container.clock },
        tty: tty || exec.tty,
        stdin: false,
      });
      exec.run = run;
      prepared(run);
      await run.start();
    } catch (error) {
      exec.failed = true;
      throw startError(subject, error);
    }
    // The container may have ended while the command was being started.
    if (main.exit !== undefined) run.process.signal(9);
    void run.hub.done.then(() => run.hangUp());
    return run;
  }

  /** Ends all output of commands that have ended, without waiting for its readers. */
  cutOutput(): void {
    for (const { run } of this.#execs.values()) if (run?.exit !== undefined) run.cutOutput();
  }
}
