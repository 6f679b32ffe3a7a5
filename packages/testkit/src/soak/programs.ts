// The processes of a soak: started, asked and ended. What they do is in server-process.ts and client-process.ts.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Footprint } from "./footprint.js";

/** What every process tells when it is asked for its state. */
export interface ProcessState {
  readonly footprint: Footprint;
  /** Processor time that it has used, in milliseconds. */
  readonly cpuMs: number;
  /** Warnings, unhandled rejections and the like. */
  readonly complaints: readonly string[];
}

/** A process. Disposing it kills it and waits for its end. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Settles with its end. */
  readonly ended: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /**
   * Sends a question and waits for the answer.
   *
   * @throws {Error} when the process ends before it answers.
   */
  ask<T>(question: object): Promise<T>;
  /** Sends something that is not answered. */
  tell(message: object): void;
}

/** Starts one of the programs of this folder: compiled, or from its source where this runs from source. */
export function startProgram(name: "server-process" | "client-process", args: readonly string[] = []): Program {
  const source = import.meta.url.endsWith(".ts");
  const loader = new URL("../../../ttrpc/test/support/run-source.mjs", import.meta.url).pathname;
  const path = fileURLToPath(new URL(`./${name}.${source ? "ts" : "js"}`, import.meta.url));
  const child = fork(path, args, {
    execArgv: source ? ["--import", loader] : [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return program(child, name);
}

function program(child: ChildProcess, name: string): Program {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ended = once(child, "exit").then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Error(`the ${name} ended with ${code ?? signal}`));
    waiting.clear();
  });
  let asked = 0;
  child.on("message", ({ id, answer }: { id: number; answer: unknown }) => {
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  child.on("error", () => {});
  const send = (message: object): void => {
    // A process that was killed takes no more messages; its end tells that.
    if (child.connected) child.send(message, () => {});
  };
  return {
    pid: child.pid as number,
    ended,
    kill: (signal) => void child.kill(signal),
    ask<T>(question: object): Promise<T> {
      const answer = Promise.withResolvers<unknown>();
      const id = ++asked;
      if (child.exitCode !== null || child.signalCode !== null) answer.reject(new Error(`the ${name} has ended`));
      else waiting.set(id, answer);
      send({ id, ...question });
      return answer.promise as Promise<T>;
    },
    tell: send,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** In a process: answers its questions; ends the process when who asks is gone. */
export function answerQuestions(answers: Readonly<Record<string, (question: never) => unknown>>): void {
  process.on("message", async (question: { id?: number; ask: string }) => {
    const answer = await answers[question.ask]?.(question as never);
    if (question.id !== undefined) process.send?.({ id: question.id, answer });
  });
  process.on("disconnect", () => process.exit());
}

/** In a process: collects what Node complains of. */
export function collectComplaints(): string[] {
  const complaints: string[] = [];
  for (const event of ["warning", "unhandledRejection", "uncaughtException"] as const) {
    process.on(event, (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      // Of the runtime, and of no interest here.
      if (!text.includes("ExperimentalWarning") && complaints.length < 20) complaints.push(`${event}: ${text}`);
    });
  }
  return complaints;
}
