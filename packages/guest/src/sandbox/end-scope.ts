// Ends everything of a scope in order: asks with SIGTERM, waits, kills what is left. Knows no sandbox.
import { setTimeout as sleep } from "node:timers/promises";
import { killScope, processesOf, signalScope } from "../process/scope.js";
import { endingPauseMs } from "./limits.js";

/** How to end. */
export interface EndOptions {
  /** Ids of processes that lead sessions of the scope, at the time of the call. */
  readonly leaders: () => readonly number[];
  /** How long they get after SIGTERM; 0 kills at once. */
  readonly graceMs: number;
  /** Whether they get SIGHUP as well, as who sits at a terminal does not listen to SIGTERM. */
  readonly hangUp: boolean;
  /** Cuts the grace short. */
  readonly hurry: AbortSignal;
}

/** Resolves when there is no process of the scope any more. */
export async function endScope(scope: string, { leaders, graceMs, hangUp, hurry }: EndOptions): Promise<void> {
  const until = performance.now() + graceMs;
  if (graceMs > 0 && !hurry.aborted) {
    signalScope(scope, 15, leaders());
    if (hangUp) signalScope(scope, 1, leaders());
    let pauseMs = endingPauseMs.first;
    while (processesOf(scope, leaders()).length > 0) {
      const left = until - performance.now();
      if (left <= 0 || hurry.aborted) break;
      await sleep(Math.min(pauseMs, left), undefined, { signal: hurry }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, endingPauseMs.longest);
    }
  }
  await killScope(scope, leaders());
}
